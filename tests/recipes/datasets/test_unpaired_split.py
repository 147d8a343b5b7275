"""Images without a partner, divided like the pairs that they equal, overlap or belong to."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine

from rsforge.data.pairs.tables import write_table
from rsforge.data.splits.split_file import load_split
from tests.worlds.commands import rsforge
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pair_training import TERRAINS, load_pairs, sample_names
from tests.worlds.pairs import fields, save, write_pairs
from tests.worlds.pairs import load as open_picture
from tests.worlds.rasters import NORTH_UP, write


def test_unpaired_images_follow_their_scene(world, console):
    (world / "agri/s2/ROIs1970_fall_s2_0_p1.png").unlink()
    (world / "coast/s1/ROIs1970_fall_s1_1_p2.png").unlink()
    for seed in range(4):
        pairs = load_pairs(world, console, unpaired=True, seed=seed)
        sides = [{"agri/" in n for n in sample_names(s) if "agri" in n} for s in (pairs.train, pairs.held_out)]
        assert sides.count(set()) == 1
    assert rsforge("data split --data-dir {} --val 0.3 --quiet", world) == 0
    pairs = load_pairs(world, console, unpaired=True)
    split = load_split(world / "split.json")
    assert sample_names(pairs.held_out) == set(split.subsets["val"]) and len(pairs.train) == 11 - len(pairs.held_out)


def test_a_split_holds_for_pairs_that_do_not_fit_the_others(tmp_path, console):
    for k in range(4):
        rng = np.random.default_rng(k)
        sar, optical = rng.uniform(-20, -5, (32, 32, 1 + (k > 0))), rng.integers(0, 255, (32, 32, 3))
        for folder, values in (("s1", sar.astype(np.float32)), ("s2", optical.astype(np.uint8))):
            (tmp_path / f"scene{k}" / folder).mkdir(parents=True)
            place = Affine.translation(500 * k, 0) @ NORTH_UP
            write(tmp_path / f"scene{k}" / folder / "a.tif", values, transform=place)
    assert rsforge("data split --data-dir {} --val 0.3 --quiet", tmp_path) == 0
    for unpaired in (False, True):
        pairs = load_pairs(tmp_path, console, unpaired=unpaired, on_bad="skip")
        assert len(pairs.train) + len(pairs.held_out) == 3 and pairs.sar_channels == 2


def trained_on(pairs, path) -> bool:
    """Whether an optical image is one of those trained on."""
    pixels = torch.from_numpy(open_picture(path).copy()).permute(2, 0, 1).float() / 255 * 2 - 1
    return any(torch.equal(pairs.train.optical[k], pixels) for k in range(len(pairs.train.optical)))


def optical_of(world, name) -> Path:
    terrain, stem = name.split("/")
    return world / terrain / "s2" / f"{stem.replace('fall_', 'fall_s2_')}.png"


def test_copies_follow_what_a_split_says_of_their_contents(world, console):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    for subset in ("train", "val", "test"):
        shutil.copy(optical_of(world, split.subsets[subset][0]), world / "agri" / "s2" / f"copy_{subset}.png")
    before = len(split.subsets["train"])
    for allow_leak in (False, True):
        pairs = load_pairs(world, console, unpaired=True, allow_leak=allow_leak)
        assert len(pairs.train.sar) == before and len(pairs.train.optical) == before + 1
        assert sample_names(pairs.held_out) == set(split.subsets["val"])
        assert not any(trained_on(pairs, world / "agri" / "s2" / f"copy_{subset}.png") for subset in ("val", "test"))
        assert console.has_line(
            "left out 1 image without a partner, like images of the subset test: agri/s2/copy_test.png"
        )
        assert console.has_line("1 held-out image without a partner not used")


def test_images_without_a_place_in_the_split_are_left_out_or_trained_on(world, console):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    test, val = (split.subsets[subset][0] for subset in ("test", "val"))
    stranger, same = (fields(32, seed)[1] for seed in (90, 91))
    alone = save(world / "agri/s2/stranger.png", stranger)
    of_test = save(optical_of(world, test).with_name(optical_of(world, test).stem[:-1] + "9.png"), fields(32, 92)[1])
    own = save(world / "agri/s2/ROIs1970_fall_s2_77_p1.png", fields(32, 93)[1])
    copy_of_it = save(optical_of(world, val).with_name(optical_of(world, val).stem[:-1] + "8.png"), same)
    save(world / "agri/s2/twin.png", same)
    pairs = load_pairs(world, console, unpaired=True)
    assert [trained_on(pairs, path) for path in (alone, of_test, own, copy_of_it)] == [False, False, True, False]
    assert console.has_line(f"like images of the subset test: {of_test.relative_to(world)}")
    assert console.has_line("1 image without a partner, of scenes that are unknown or in several subsets (--allow-leak")
    pairs = load_pairs(world, console, unpaired=True, allow_leak=True)
    assert [trained_on(pairs, path) for path in (alone, of_test, own, copy_of_it)] == [True, False, True, False]
    assert console.has_line("trained on, as --allow-leak allows: held-out figures will be too good")


def test_scenes_of_pairs_that_are_not_taken_are_known(world, console):
    assert rsforge("data split --data-dir {} --val 0.25 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    train, test = (optical_of(world, split.subsets[subset][0]) for subset in ("train", "test"))
    path = save(train.with_name(f"{test.stem[:-1]}9.png"), fields(32, 97)[1])
    taken = tuple(terrain for terrain in TERRAINS if terrain != test.parts[-3])
    pairs = load_pairs(world, console, unpaired=True, terrains=taken)
    assert len(pairs.train.optical) == 6 and not trained_on(pairs, path)


def test_the_halves_of_a_bad_pair_stay_in_its_subset(world, console):
    for path in sorted(world.rglob("*.png")):
        path.rename(path.with_name(path.name.split("_")[-1]))
    assert rsforge("data split --data-dir {} --by region --val 0.25 --quiet", world) == 0
    name = load_split(world / "split.json").subsets["val"][0]
    terrain, stem = name.split("/")
    (world / terrain / "s1" / f"{stem}.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --by region --val 0.25 --quiet --overwrite", world) == 0
    assert name in load_split(world / "split.json").subsets["val"]
    pairs = load_pairs(world, console, unpaired=True, on_bad="skip")
    assert len(pairs.train.optical) == 9 and not trained_on(pairs, world / terrain / "s2" / f"{stem}.png")
    assert console.has_line("1 held-out image without a partner not used")
    save(world / terrain / "s2" / f"{stem}.tif", fields(32, 96)[1])
    assert len(load_pairs(world, console, unpaired=True, on_bad="skip", allow_leak=True).train.optical) == 9
    assert console.has_line("2 held-out images without a partner not used")


def test_a_scene_of_blocks_has_no_place_for_unpaired_images(tmp_path, console):
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
    pairs = load_pairs(world, console, unpaired=True)
    assert len(pairs.train.optical) == train + 1 and not trained_on(pairs, lone) and not trained_on(pairs, copy)
    assert console.has_line("like what the split leaves out: scene1/s2/ROIs1970_fall_s2_0_p21.png")
    assert console.has_line("in several subsets (--allow-leak trains on them): scene1/s2/ROIs1970_fall_s2_0_p20.png")
    pairs = load_pairs(world, console, unpaired=True, allow_leak=True)
    assert len(pairs.train.optical) == train + 2 and trained_on(pairs, lone) and not trained_on(pairs, copy)


def test_an_image_equal_to_some_of_two_subsets_is_left_out(world, console):
    for path in sorted(world.rglob("s2/*.png")):
        if path.name.endswith("p0.png"):
            save(path, np.full((32, 32, 3), 7, np.uint8))
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    save(world / "agri/s2/blank.png", np.full((32, 32, 3), 7, np.uint8))
    assert len(load_pairs(world, console, unpaired=True).train.optical) == 6
    assert console.has_line("equal to images of several subsets: agri/s2/blank.png")


@pytest.mark.parametrize("stem", ["ROIs{0}_fall_{0}_p{1}", "t{0}p{1}"])
def test_geotiffs_of_one_ground_stay_together(tmp_path, console, stem):
    """The last two images are of no pair, but lie where the first two pairs do."""
    for k in range(8):
        for modality, bands, dtype, sign in ((1, 2, "float32", -1), (2, 3, "uint8", 1)):
            values = sign * np.random.default_rng(10 * k + modality).uniform(1, 20, (32, 32, bands))
            path = tmp_path / "x" / f"s{modality}" / f"{stem.format(k, 1 if k < 6 else modality)}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, values.astype(dtype), transform=Affine.translation(500 * (k % 6), 0) @ NORTH_UP)
    leak = not stem.startswith("ROIs")
    line = "data split --data-dir {} --val 0.4 --seed {} --quiet --overwrite" + " --allow-leak" * leak
    for seed in range(2):
        options = {"seed": seed, "val_fraction": 0.4, "allow_leak": leak}
        assert rsforge(line, tmp_path, seed) == 0
        for split in ("none", "auto"):
            pairs = load_pairs(tmp_path, console, unpaired=True, split=split, **options)
            held = sample_names(pairs.held_out)
            parted = sum(f"x/{stem.format(k, 1)}" in held for k in range(2))
            assert len(pairs.train.sar) == 6 - len(held) + 2 - parted


def test_images_follow_the_pairs_whose_pixels_they_share(tmp_path, console):
    groups = write_overlapping_pairs(tmp_path)
    for name, _ in groups:  # one of each group loses its SAR image
        (tmp_path / "agri" / "s1" / f"{name.split('/')[1]}.jpg").unlink()
    line = "data split --data-dir {} --by patch --allow-leak --val 0.25 --test 0.25 --quiet"
    assert rsforge(line, tmp_path) == 0
    options = {"unpaired": True, "allow_leak": True, "allow_gray_optical": True}
    for wanted in (True, False):
        pairs = load_pairs(tmp_path, console, **options, image_size=64, overlap_by_content=wanted)
        # Without the search every image of unknown scene is trained on.
        assert len(pairs.train.sar) == 2 and len(pairs.train.optical) == (4 if wanted else 6)
    assert console.has_line("left out 1 image without a partner, like images of the subset test")
