"""Pairs from the Data section: found, judged, divided by scene or by the stored split, and never mixed up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from PIL import Image

from rsforge.data.io.rasters import read_raster
from rsforge.data.pairs.tables import write_table
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.data.splits.split_file import load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets import pairs as pair_datasets
from tests.worlds.commands import rsforge
from tests.worlds.geotiff_pairs import geotiffs
from tests.worlds.pair_training import TERRAINS, Ear, load, names
from tests.worlds.pairs import fields, save, write_pairs
from tests.worlds.pairs import load as open_picture
from tests.worlds.rasters import NORTH_UP, write


@pytest.fixture
def world(tmp_path) -> Path:
    """Four scenes of three pairs."""
    write_pairs(tmp_path / "world", TERRAINS, count=3, size=32)
    return tmp_path / "world"


@pytest.fixture
def ear() -> Ear:
    return Ear()


def refused(code, *args, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        load(*args, **options)
    assert caught.value.code == code, caught.value.what
    return caught.value


def scenes(samples) -> set[str]:
    return {name.split("/")[0] for name in names(samples)}


def test_whole_scenes_are_held_out(world, ear):
    pairs = load(world, ear, flip=0.5)
    assert scenes(pairs.train).isdisjoint(scenes(pairs.held_out)) and len(scenes(pairs.held_out)) == 1
    assert pairs.identity | {"split": ""} == {"split": "", "train": 9, "held_out": 3}
    assert (pairs.radiometry, pairs.sar_channels, pairs.matched) == (EIGHT_BIT, 1, True)
    assert ear.heard("9 train, 3 held out, of 3 and 1 scenes") and not ear.warned
    x, y = pairs.plain[0, 0]
    assert x.shape == (1, 32, 32) and y.shape == (3, 32, 32)
    assert {torch.equal(pairs.train[e, 0][0], x) for e in range(9)} == {True, False}


def test_the_division_is_that_of_data_split(world, ear):
    ours = load(world, ear, val_fraction=0.4, seed=7)
    assert rsforge("data split --data-dir {} --by scene --val 0.4 --seed 7 --quiet", world) == 0
    split = load_split(world / "split.json")
    assert names(ours.held_out) == set(split.subsets["val"]) and names(ours.train) == set(split.subsets["train"])
    followed = load(world, ear, seed=7)
    assert followed.identity == ours.identity and ear.heard(f"digest {split.digest[:12]}")


def test_order_and_identity_are_of_contents_alone(world, tmp_path, ear):
    before = load(world, ear, val_fraction=0)
    for path in sorted(world.rglob("*_p0.png")):
        path.rename(path.with_name(path.name.replace("_p0", "_p77")))
    after = load(world, ear, val_fraction=0)
    assert before.identity == after.identity and len(before.held_out) == 0 and len(before.train) == 12
    assert all(torch.equal(before.plain[0, k][0], after.plain[0, k][0]) for k in range(12))
    save(next(world.rglob("s1/*.png")), fields(32, 99)[0])
    assert load(world, ear, val_fraction=0).identity != before.identity


def test_a_split_is_followed_or_left_aside(world, ear):
    assert rsforge("data split --data-dir {} --val 0.5 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    pairs = load(world, ear, val_fraction=0.25)
    assert names(pairs.held_out) == set(split.subsets["val"]) and names(pairs.train) == set(split.subsets["train"])
    assert ear.heard("--val-fraction is not used")
    assert len(load(world, ear, split="none", val_fraction=0.25).held_out) == 3
    assert refused("RSF-D012", world, ear, split=str(world / "absent.json"))


@pytest.mark.parametrize("change", ["gone", "new", "other"])
def test_a_split_of_other_pairs_is_refused(world, ear, change):
    assert rsforge("data split --data-dir {} --quiet", world) == 0
    two = [world / "agri" / side / f"ROIs1970_fall_{side}_0_p1.png" for side in ("s1", "s2")]
    for path in two:
        if change == "gone":
            path.unlink()
        elif change == "new":
            shutil.copy(path, path.with_name(path.name.replace("_p1", "_p9")))
    if change == "other":
        save(two[1], fields(32, 77)[1])
    assert "agri/ROIs1970_fall_0_p" in refused("RSF-D012", world, ear).found


def test_a_split_of_more_pairs_holds_for_some_of_them(world, ear):
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    split = load_split(world / "split.json")
    some = {"terrains": ("agri", "coast", "river"), "max_per_terrain": 2}
    pairs = load(world, ear, **some)
    assert names(pairs.train) < set(split.subsets["train"]) and names(pairs.held_out) < set(split.subsets["val"])
    assert len(names(pairs.train) | names(pairs.held_out)) == 6
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", fields(32, 5)[1])
    assert "agri/ROIs1970_fall_0_p0" in refused("RSF-D012", world, ear, **some).found


def test_a_bad_pair_of_a_split_is_left_out_where_it_is_to_be(world, ear):
    (world / "agri/s1/ROIs1970_fall_s1_0_p0.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --quiet", world) == 0
    assert refused("RSF-D002", world, ear).found.startswith("agri/ROIs1970_fall_0_p0")
    pairs = load(world, ear, on_bad="skip")
    assert pairs.identity["train"] + pairs.identity["held_out"] == 11
    assert ear.heard("left out agri/ROIs1970_fall_0_p0")


def test_a_split_without_training_pairs_is_refused(world, ear):
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    split = load_split(world / "split.json")
    for side in ("s1", "s2"):
        for name in split.subsets["train"]:
            folder_, stem = name.split("/")
            (world / folder_ / side / f"{stem.replace('fall_', f'fall_{side}_')}.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --val 0.5 --quiet --overwrite", world) == 0
    refused("RSF-D004", world, ear, on_bad="skip")


def test_unknown_scenes_need_a_word(world, ear):
    for path in sorted(world.rglob("*.png")):
        path.rename(path.with_name(path.name.split("_")[-1]))
    error = refused("RSF-D011", world, ear)
    assert all(word in error.fix for word in ("--allow-leak", "rsforge data split", "--val-fraction 0"))
    pairs = load(world, ear, allow_leak=True)
    assert pairs.identity["held_out"] in (2, 3) and ear.heard("neighbours may be in different subsets")
    assert len(load(world, ear, val_fraction=0).held_out) == 0


def test_one_scene_cannot_be_divided(world, ear):
    error = refused("RSF-D004", world, ear, terrains=("river",))
    assert "rsforge data split" in error.fix and "--by block" in error.fix and "--val-fraction 0" in error.fix
    assert rsforge("data synth --kind pairs-csv --count 4 --size 16 --output-dir {} --quiet", world.parent / "one") == 0
    assert "--by block" in refused("RSF-D004", world.parent / "one", ear).fix


def test_copies_stay_on_one_side(world, ear):
    """A pair of each scene is a copy of one of the next: the scenes are chained together."""
    for k in range(2):
        for side in ("s1", "s2"):
            shutil.copy(
                world / TERRAINS[k] / side / f"ROIs1970_fall_{side}_{k}_p0.png",
                world / TERRAINS[k + 1] / side / f"ROIs1970_fall_{side}_{k + 1}_p0.png",
            )
    for seed in range(6):
        assert scenes(load(world, ear, seed=seed).held_out) in ({"urban"}, {"agri", "coast", "river"})


@pytest.mark.parametrize("lost", ["s1", "s2"])
def test_a_missing_partner_is_an_error_or_left_aside(world, ear, lost):
    there = {"s1": "s2", "s2": "s1"}[lost]
    (world / f"agri/{lost}/ROIs1970_fall_{lost}_0_p1.png").unlink()
    error = refused("RSF-D009", world, ear)
    assert f"agri/{there}/ROIs1970_fall_{there}_0_p1.png" in error.found and "1 file without a partner" in error.what
    assert "--on-bad skip" in error.fix and "rsforge data audit" in error.fix
    pairs = load(world, ear, on_bad="skip")
    assert pairs.identity["train"] + pairs.identity["held_out"] == 11 and ear.heard("1 file without a partner left")


def test_an_empty_terrain_is_named(world, ear):
    for side in ("s1", "s2"):
        (world / "desert" / side).mkdir(parents=True)
    (world / "bare").mkdir()
    assert len(load(world, ear, val_fraction=0).train) == 12 and ear.heard("no pairs in desert, bare")
    error = refused("RSF-D009", world, ear, terrains=("agri", "desert"))
    assert "desert" in error.what and error.found == "no images in desert/s1, desert/s2"
    shutil.rmtree(world / "bare")
    for terrain in TERRAINS:
        shutil.rmtree(world / terrain)
    assert "no images in desert/s1, desert/s2" in refused("RSF-D009", world, ear).what


def test_an_empty_folder_of_a_terrain_is_named(world, ear):
    for path in (world / "agri" / "s1").iterdir():
        path.unlink()
    assert "no images in agri/s1" in refused("RSF-D009", world, ear, terrains=("agri",)).what
    for on_bad in ("error", "skip"):
        error = refused("RSF-D009", world, ear, terrains=("agri", "coast"), on_bad=on_bad)
        assert "terrain agri has no pairs" in error.what and error.found == "no images in agri/s1"


def test_a_terrain_without_one_side_is_a_fault_where_it_is_taken(world, ear):
    shutil.rmtree(world / "agri" / "s2")
    assert "there is no s2" in refused("RSF-D009", world, ear).found
    assert len(load(world, ear, terrains=("coast", "urban"), val_fraction=0).train) == 6


def test_a_cut_is_told(world, ear):
    assert len(load(world, ear, max_per_terrain=2).train) == 6
    assert ear.heard("8 of 12 taken, the first by --max-per-terrain (agri: 2 of 3")


def test_grey_targets_need_a_word(world, ear):
    for path in sorted(world.glob("*/s2/*.png")):
        save(path, fields(32, 1)[0])
    error = refused("RSF-D009", world, ear)
    assert "12 of 12 pairs cannot be used" in error.what and "--allow-gray-optical" in error.fix
    assert "--on-bad skip" not in error.fix
    assert load(world, ear, allow_gray_optical=True, val_fraction=0).train[0, 0][1].shape[0] == 3


def test_faults_of_several_kinds_are_told_together(world, ear):
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", fields(32, 1)[0])
    (world / "agri/s1/ROIs1970_fall_s1_0_p1.png").write_bytes(b"broken")
    error = refused("RSF-D002", world, ear)
    assert "--allow-gray-optical" in error.fix and "--on-bad skip" in error.fix and "2 of 12" in error.what
    for path in world.rglob("s1/*.png"):
        path.write_bytes(b"broken")
    refused("RSF-D002", world, ear, on_bad="skip")


def test_only_some_of_many_bad_pairs_are_named(world, ear):
    for path in sorted(world.glob("*/s1/*.png"))[:7]:
        path.write_bytes(b"broken")
    assert "and 2 more" in refused("RSF-D002", world, ear).found
    assert len(load(world, ear, on_bad="skip", val_fraction=0).train) == 5 and ear.heard("left out 2 more")


def test_values_of_another_unit_are_refused(world, ear):
    refused("RSF-D010", world, ear, radiometry="db")


def test_bands_are_those_of_most(tmp_path, ear):
    for k in range(3):
        values = np.full((32, 32, 1 + (k > 0)), -9.0 - k, np.float32)
        geotiffs(tmp_path, values, np.full((32, 32, 3), k, np.uint8))
        for side in ("s1", "s2"):
            (tmp_path / side / "a.tif").rename(tmp_path / side / f"pair{k}.tif")
    error = refused("RSF-D009", tmp_path, ear, val_fraction=0)
    assert "pair0" in error.found and "1 band where most have 2" in error.found
    pairs = load(tmp_path, ear, val_fraction=0, on_bad="skip")
    assert (pairs.sar_channels, len(pairs.train), pairs.radiometry) == (2, 2, Radiometry("db", -25, 0))


def test_mixed_sizes_become_one(world, ear):
    for k, (height, width) in enumerate([(40, 64), (20, 20)]):
        sar, optical = fields(64, k)
        save(world / f"agri/s1/ROIs1970_fall_s1_0_p{k}.png", sar[:height, :width])
        save(world / f"agri/s2/ROIs1970_fall_s2_0_p{k}.png", optical[:height, :width])
    pairs = load(world, ear, val_fraction=0)
    assert {(x.shape, y.shape) for x, y in (pairs.train[0, k] for k in range(12))} == {((1, 32, 32), (3, 32, 32))}
    assert ear.heard("1 of 12 pairs are smaller than --image-size 32: enlarged")


def test_a_shape_that_cannot_be_squared_is_named(world, ear):
    save(world / "agri/s1/ROIs1970_fall_s1_0_p0.png", np.zeros((1, 60000), np.uint8))
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", np.zeros((1, 60000, 3), np.uint8))
    assert "60000 x 1" in refused("RSF-D003", world, ear).found


def test_colours_of_sar_are_told(world, ear):
    for path in sorted(world.glob("*/s1/*.png")):
        save(path, np.repeat(fields(32, 1)[0][..., None], 3, 2))
    assert load(world, ear, val_fraction=0).sar_channels == 1 and ear.heard("taken as grey")
    assert "4 scenes hang together by equal files" in refused("RSF-D004", world, ear).found


def test_the_output_folder_is_not_that_of_the_pairs(world, ear):
    refused("RSF-U005", world, ear, output=world)


def test_no_folder(tmp_path, ear):
    assert "--data-dir synthetic" in refused("RSF-D001", tmp_path / "absent", ear).fix


def test_nothing_is_kept_for_a_plan(world, ear):
    ear.dry_run = True
    assert load(world, ear).train.sar.cached is None
    ear.dry_run = False
    assert load(world, ear).train.sar.cached is not None


def test_drawn_pairs_are_divided_by_scene(ear, monkeypatch):
    monkeypatch.setattr(pair_datasets, "SYNTHETIC_COUNT", 16)
    pairs = load("synthetic", ear, image_size=32)
    assert pairs.identity["train"] == 12 and pairs.identity["held_out"] == 4
    assert ear.heard("16 synthetic pairs, not satellite images")
    assert names(pairs.train).isdisjoint(names(pairs.held_out))
    loose = load("synthetic", ear, image_size=32, unpaired=True)
    x, y = loose.plain[0, 1]
    assert torch.equal(x, pairs.plain[0, 1][0]) and not torch.equal(y, pairs.plain[0, 1][1])
    assert torch.equal(loose.held_out[0, 0][1], pairs.held_out[0, 0][1]) and loose.matched
    refused("RSF-D004", "synthetic", ear, val_fraction=0.9)


def test_drawing_is_shown(ear, monkeypatch):
    monkeypatch.setattr(pair_datasets, "SYNTHETIC_COUNT", 16)
    load("synthetic", ear)
    assert ear.meters == [("synthetic pairs", 16, 16)]
    ear.dry_run = True
    load("synthetic", ear)
    assert len(ear.meters) == 1


def test_two_sets_of_true_pairs_hold_out_true_pairs(world, ear):
    pairs = load(world, ear, unpaired=True)
    assert pairs.matched and (len(pairs.train), len(pairs.held_out)) == (9, 3)
    assert scenes(pairs.train).isdisjoint(scenes(pairs.held_out))
    true = load(world, ear)
    x, y = pairs.held_out[0, 1]
    assert torch.equal(x, true.held_out[0, 1][0]) and torch.equal(y, true.held_out[0, 1][1])
    images = {true.plain[0, k][1].numpy().tobytes() for k in range(9)}
    assert {pairs.train[3, k][1].numpy().tobytes() for k in range(9)} == images
    assert pairs.identity["split"] != true.identity["split"]


def test_two_sets_need_no_partners(tmp_path, ear):
    for k in range(10):
        save(tmp_path / "x" / "s1" / f"radar{k}.png", fields(32, k)[0])
        if k < 6:
            save(tmp_path / "x" / "s2" / f"photo{k}.png", fields(32, 50 + k)[1])
    error = refused("RSF-D011", tmp_path, ear, unpaired=True)
    assert "16 of 16" in error.what and all(
        w in error.fix for w in ("--allow-leak", "rsforge data split", "fraction 0")
    )
    whole = load(tmp_path, ear, unpaired=True, val_fraction=0)
    assert (len(whole.train), len(whole.held_out)) == (10, 0) and not ear.warned
    loose = {"unpaired": True, "allow_leak": True}
    pairs = load(tmp_path, ear, **loose)
    assert not pairs.matched and pairs.identity | {"split": ""} == {"split": "", "train": 8, "held_out": 2}
    assert ear.heard("10 SAR and 6 optical images") and ear.heard("in order")
    assert (
        len(ear.warned) == 1
        and "scenes of 16 of 16 are unknown: neighbours may be in different subsets" in ear.warned[0]
    )
    trained = {pairs.plain[0, k][0].numpy().tobytes() for k in range(8)}
    assert len(trained) == 8 and not trained & {pairs.held_out[0, k][0].numpy().tobytes() for k in range(2)}
    assert load(tmp_path, ear, **loose).identity == pairs.identity
    assert load(tmp_path, ear, **loose, max_per_terrain=4).identity["train"] == 3
    assert ear.heard("8 left out by --max-per-terrain 4")
    save(tmp_path / "x" / "s1" / "radar0.png", fields(32, 77)[1])
    assert load(tmp_path, ear, **loose).identity != pairs.identity
    for path in (tmp_path / "x" / "s2").iterdir():
        path.unlink()
    assert "optical" in refused("RSF-D001", tmp_path, ear, unpaired=True).what


def test_lone_images_follow_their_scene(world, ear):
    (world / "agri/s2/ROIs1970_fall_s2_0_p1.png").unlink()
    (world / "coast/s1/ROIs1970_fall_s1_1_p2.png").unlink()
    for seed in range(4):
        pairs = load(world, ear, unpaired=True, seed=seed)
        sides = [{"agri/" in n for n in names(s) if "agri" in n} for s in (pairs.train, pairs.held_out)]
        assert sides.count(set()) == 1
    assert rsforge("data split --data-dir {} --val 0.3 --quiet", world) == 0
    pairs = load(world, ear, unpaired=True)
    split = load_split(world / "split.json")
    assert names(pairs.held_out) == set(split.subsets["val"]) and len(pairs.train) == 11 - len(pairs.held_out)


def test_an_unreadable_one_of_two_sets(world, ear):
    (world / "agri/s1/ROIs1970_fall_s1_0_p1.png").write_bytes(b"broken")
    error = refused("RSF-D002", world, ear, unpaired=True)
    assert ear.meters == [("judged", 24, 24)]
    assert "agri/s1/ROIs1970_fall_s1_0_p1.png" in error.found and error.what == "1 of 24 images cannot be used"
    pairs = load(world, ear, unpaired=True, on_bad="skip", val_fraction=0)
    assert len(pairs.train.sar) == 11 and len(pairs.train.optical) == 12


def test_two_sets_survive_what_cannot_be_used_where_it_is_skipped(world, ear):
    for path in sorted(world.glob("agri/s1/*.png")):
        path.write_bytes(b"broken")
    assert len(load(world, ear, unpaired=True, on_bad="skip", val_fraction=0).train.sar) == 9
    save(world / "coast/s1/ROIs1970_fall_s1_1_p0.png", np.zeros((1, 60000), np.uint8))
    save(world / "coast/s2/ROIs1970_fall_s2_1_p0.png", np.zeros((1, 60000, 3), np.uint8))
    assert refused("RSF-D002", world, ear, unpaired=True).what == "5 of 24 images cannot be used"
    save(world / "coast/s1/ROIs1970_fall_s1_1_p1.png", np.zeros((20, 20), np.uint8))
    save(world / "coast/s2/ROIs1970_fall_s2_1_p1.png", np.zeros((20, 20, 3), np.uint8))
    load(world, ear, unpaired=True, on_bad="skip", val_fraction=0)
    assert ear.heard("2 of 19 images are smaller than --image-size 32")
    error = refused("RSF-D010", world / "urban", ear, unpaired=True, on_bad="skip", radiometry="db")
    assert error.what == "3 of 6 images cannot be used"


def test_a_split_holds_for_pairs_that_do_not_fit_the_others(tmp_path, ear):
    for k in range(4):
        rng = np.random.default_rng(k)
        sar, optical = rng.uniform(-20, -5, (32, 32, 1 + (k > 0))), rng.integers(0, 255, (32, 32, 3))
        for side, values in (("s1", sar.astype(np.float32)), ("s2", optical.astype(np.uint8))):
            (tmp_path / f"scene{k}" / side).mkdir(parents=True)
            place = Affine.translation(500 * k, 0) @ NORTH_UP
            write(tmp_path / f"scene{k}" / side / "a.tif", values, transform=place)
    assert rsforge("data split --data-dir {} --val 0.3 --quiet", tmp_path) == 0
    for unpaired in (False, True):
        pairs = load(tmp_path, ear, unpaired=unpaired, on_bad="skip")
        assert len(pairs.train) + len(pairs.held_out) == 3 and pairs.sar_channels == 2


def trained_on(pairs, path) -> bool:
    """Whether an optical image is one of those trained on."""
    pixels = torch.from_numpy(open_picture(path).copy()).permute(2, 0, 1).float() / 255 * 2 - 1
    return any(torch.equal(pairs.train.optical[k], pixels) for k in range(len(pairs.train.optical)))


def optical_of(world, name) -> Path:
    terrain, stem = name.split("/")
    return world / terrain / "s2" / f"{stem.replace('fall_', 'fall_s2_')}.png"


def test_copies_follow_what_a_split_says_of_their_contents(world, ear):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    for side in ("train", "val", "test"):
        shutil.copy(optical_of(world, split.subsets[side][0]), world / "agri" / "s2" / f"copy_{side}.png")
    before = len(split.subsets["train"])
    for allow_leak in (False, True):
        pairs = load(world, ear, unpaired=True, allow_leak=allow_leak)
        assert len(pairs.train.sar) == before and len(pairs.train.optical) == before + 1
        assert names(pairs.held_out) == set(split.subsets["val"])
        assert not any(trained_on(pairs, world / "agri" / "s2" / f"copy_{side}.png") for side in ("val", "test"))
        assert ear.heard("left out 1 image without a partner, like images of the subset test: agri/s2/copy_test.png")
        assert ear.heard("1 held-out image without a partner not used")


def test_images_without_a_place_in_the_split_are_left_out_or_trained_on(world, ear):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    test, val = (split.subsets[side][0] for side in ("test", "val"))
    stranger, twin = (fields(32, seed)[1] for seed in (90, 91))
    alone = save(world / "agri/s2/stranger.png", stranger)
    of_test = save(optical_of(world, test).with_name(optical_of(world, test).stem[:-1] + "9.png"), fields(32, 92)[1])
    own = save(world / "agri/s2/ROIs1970_fall_s2_77_p1.png", fields(32, 93)[1])
    twins = save(optical_of(world, val).with_name(optical_of(world, val).stem[:-1] + "8.png"), twin)
    save(world / "agri/s2/twin.png", twin)
    pairs = load(world, ear, unpaired=True)
    assert [trained_on(pairs, path) for path in (alone, of_test, own, twins)] == [False, False, True, False]
    assert ear.heard(f"like images of the subset test: {of_test.relative_to(world)}")
    assert ear.heard("1 image without a partner, of scenes that are unknown or in several subsets (--allow-leak")
    pairs = load(world, ear, unpaired=True, allow_leak=True)
    assert [trained_on(pairs, path) for path in (alone, of_test, own, twins)] == [True, False, True, False]
    assert ear.heard("trained on, as --allow-leak allows: held-out figures will be too good")


def test_scenes_of_pairs_that_are_not_taken_are_known(world, ear):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    train, test = (optical_of(world, split.subsets[side][0]) for side in ("train", "test"))
    path = save(train.with_name(f"{test.stem[:-1]}9.png"), fields(32, 97)[1])
    taken = tuple(terrain for terrain in TERRAINS if terrain != test.parts[-3])
    pairs = load(world, ear, unpaired=True, terrains=taken)
    assert len(pairs.train.optical) == 6 and not trained_on(pairs, path)


def test_the_halves_of_a_bad_pair_stay_on_its_side(world, ear):
    for path in sorted(world.rglob("*.png")):
        path.rename(path.with_name(path.name.split("_")[-1]))
    assert rsforge("data split --data-dir {} --by region --val 0.25 --quiet", world) == 0
    name = load_split(world / "split.json").subsets["val"][0]
    terrain, stem = name.split("/")
    (world / terrain / "s1" / f"{stem}.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --by region --val 0.25 --quiet --overwrite", world) == 0
    assert name in load_split(world / "split.json").subsets["val"]
    pairs = load(world, ear, unpaired=True, on_bad="skip")
    assert len(pairs.train.optical) == 9 and not trained_on(pairs, world / terrain / "s2" / f"{stem}.png")
    assert ear.heard("1 held-out image without a partner not used")
    save(world / terrain / "s2" / f"{stem}.tif", fields(32, 96)[1])
    assert len(load(world, ear, unpaired=True, on_bad="skip", allow_leak=True).train.optical) == 9
    assert ear.heard("2 held-out images without a partner not used")


def test_a_scene_of_blocks_has_no_place_for_lone_images(tmp_path, ear):
    world = tmp_path / "blocks"
    write_pairs(world, ("scene1",), count=12, size=32)
    rows = [
        {
            "s1_fileName": f"scene1/s1/ROIs1970_fall_s1_0_p{k}.png",
            "s2_fileName": f"scene1/s2/ROIs1970_fall_s2_0_p{k}.png",
            "scene": "ROIs1970_fall_0",
            **dict(zip(("row", "col", "height", "width"), (0, 32 * k, 32, 32), strict=True)),
        }
        for k in range(12)
    ]
    write_table(world / "data_scene1.csv", rows)
    line = "data split --data-dir {} --by block --val 0.3 --block-size 128 --guard 1 --quiet"
    assert rsforge(line, world) == 0
    split = load_split(world / "split.json")
    assert split.left_out
    lone = save(world / "scene1/s2/ROIs1970_fall_s2_0_p20.png", fields(32, 95)[1])
    copy = world / "scene1/s2/ROIs1970_fall_s2_0_p21.png"
    shutil.copy(optical_of(world, split.left_out[0]), copy)
    shutil.copy(optical_of(world, split.subsets["train"][0]), copy.with_name("ROIs1970_fall_s2_0_p22.png"))
    train = len(split.subsets["train"])
    pairs = load(world, ear, unpaired=True)
    assert len(pairs.train.optical) == train + 1 and not trained_on(pairs, lone) and not trained_on(pairs, copy)
    assert ear.heard("like what the split leaves out: scene1/s2/ROIs1970_fall_s2_0_p21.png")
    assert ear.heard("in several subsets (--allow-leak trains on them): scene1/s2/ROIs1970_fall_s2_0_p20.png")
    pairs = load(world, ear, unpaired=True, allow_leak=True)
    assert len(pairs.train.optical) == train + 2 and trained_on(pairs, lone) and not trained_on(pairs, copy)


def test_an_image_equal_to_some_of_two_sides_is_left_out(world, ear):
    for path in sorted(world.rglob("s2/*.png")):
        if path.name.endswith("p0.png"):
            save(path, np.full((32, 32, 3), 7, np.uint8))
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    save(world / "agri/s2/blank.png", np.full((32, 32, 3), 7, np.uint8))
    assert len(load(world, ear, unpaired=True).train.optical) == 6
    assert ear.heard("equal to images of several subsets: agri/s2/blank.png")


@pytest.mark.parametrize("stem", ["ROIs{0}_fall_{0}_p{1}", "t{0}p{1}"])
def test_geotiffs_of_one_ground_stay_together(tmp_path, ear, stem):
    """The last two images are of no pair, but lie where the first two pairs do."""
    for k in range(8):
        for side, bands, dtype, sign in ((1, 2, "float32", -1), (2, 3, "uint8", 1)):
            values = sign * np.random.default_rng(10 * k + side).uniform(1, 20, (32, 32, bands))
            path = tmp_path / "x" / f"s{side}" / f"{stem.format(k, 1 if k < 6 else side)}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, values.astype(dtype), transform=Affine.translation(500 * (k % 6), 0) @ NORTH_UP)
    leak = not stem.startswith("ROIs")
    line = "data split --data-dir {} --val 0.4 --seed {} --quiet --overwrite" + " --allow-leak" * leak
    for seed in range(2):
        options = {"seed": seed, "val_fraction": 0.4, "allow_leak": leak}
        assert rsforge(line, tmp_path, seed) == 0
        for split in ("none", "auto"):
            pairs = load(tmp_path, ear, unpaired=True, split=split, **options)
            held = names(pairs.held_out)
            parted = sum(f"x/{stem.format(k, 1)}" in held for k in range(2))
            assert len(pairs.train.sar) == 6 - len(held) + 2 - parted


@pytest.mark.parametrize("unpaired", [False, True])
@pytest.mark.parametrize("kind", ["decibels", "sixteen bits", "colours"])
def test_sar_images_come_in_several_kinds(tmp_path, ear, kind, unpaired):
    rng = np.random.default_rng(0)
    for k in range(3):
        values = {
            "decibels": rng.uniform(-24, -1, (32, 32, 2)).astype(np.float32),
            "sixteen bits": rng.integers(1, 4000, (32, 32, 1)).astype(np.uint16),
            "colours": rng.integers(0, 255, (32, 32, 3)).astype(np.uint8),
        }[kind]
        geotiffs(tmp_path, values, rng.integers(0, 255, (32, 32, 3)).astype(np.uint8))
        for side in ("s1", "s2"):
            (tmp_path / side / "a.tif").rename(tmp_path / side / f"pair{k}.tif")
    pairs = load(tmp_path, ear, val_fraction=0, unpaired=unpaired)
    bands, unit = {"decibels": (2, "db"), "sixteen bits": (1, "dn"), "colours": (1, "uint8")}[kind]
    assert (pairs.sar_channels, pairs.radiometry.unit, len(pairs.train)) == (bands, unit, 3)
    assert ear.heard("taken as grey") == (kind == "colours")
    ours = {pairs.plain[0, k][0].numpy().tobytes() for k in range(3)}
    for k in range(3):
        stored = read_raster(tmp_path / "s1" / f"pair{k}.tif").values
        grey = np.asarray(Image.fromarray(stored).convert("L"))[..., None] if kind == "colours" else stored
        unit_values = pairs.radiometry.to_unit(grey)
        assert np.ascontiguousarray(np.moveaxis(unit_values, -1, 0)).tobytes() in ours and np.ptp(unit_values) > 0.5


@pytest.mark.parametrize("unpaired", [False, True])
def test_links_inside_the_folder_are_images(world, ear, unpaired):
    store = world / ".store"
    store.mkdir()
    before = load(world, ear, unpaired=unpaired)
    for number, path in enumerate(sorted(world.glob("*/s[12]/*.png"))):
        path.symlink_to(path.rename(store / f"{number}.png"))
    after = load(world, ear, unpaired=unpaired)
    assert after.identity == before.identity and torch.equal(after.plain[0, 2][0], before.plain[0, 2][0])
