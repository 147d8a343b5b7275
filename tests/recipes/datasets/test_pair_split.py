"""Pairs divided by scene, or by the stored split of their folder."""

from __future__ import annotations

import shutil

import pytest
import torch

from rsforge.data.sar.radiometry import EIGHT_BIT
from rsforge.data.splits.split_file import load_split
from tests.worlds.commands import rsforge
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pair_training import TERRAINS, load_pairs, load_refused, sample_names, scene_names
from tests.worlds.pairs import fields, save


def test_whole_scenes_are_held_out(world, console):
    pairs = load_pairs(world, console, flip=0.5)
    assert scene_names(pairs.train).isdisjoint(scene_names(pairs.held_out)) and len(scene_names(pairs.held_out)) == 1
    assert pairs.identity | {"split": ""} == {"split": "", "train": 9, "held_out": 3}
    assert (pairs.radiometry, pairs.sar_channels, pairs.matched) == (EIGHT_BIT, 1, True)
    assert console.has_line("9 train, 3 held out, of 3 and 1 scene") and not console.warned
    x, y = pairs.plain[0, 0]
    assert x.shape == (1, 32, 32) and y.shape == (3, 32, 32)
    assert {torch.equal(pairs.train[e, 0][0], x) for e in range(9)} == {True, False}
    assert console.has_line("--flip 0.5: pairs are also shown as a radar that looks from the other side would see them")
    turned = load_pairs(world, console, half_turn=1.0)
    assert torch.equal(turned.train[0, 0][1], y.rot90(2, (-2, -1))) and torch.equal(turned.plain[0, 0][1], y)
    assert torch.equal(turned.held_out[0, 0][0], pairs.held_out[0, 0][0])


def test_the_division_is_that_of_data_split(world, console):
    ours = load_pairs(world, console, val_fraction=0.4, seed=7)
    assert rsforge("data split --data-dir {} --by scene --val 0.4 --seed 7 --quiet", world) == 0
    split = load_split(world / "split.json")
    assert sample_names(ours.held_out) == set(split.subsets["val"]) and sample_names(ours.train) == set(
        split.subsets["train"]
    )
    followed = load_pairs(world, console, seed=7)
    assert console.has_line("the split has no subset test: the best model is judged by what chose it")
    assert followed.identity == ours.identity and console.has_line(f"digest {split.digest[:12]}")


def test_a_third_side_of_whole_scenes(world, console):
    pairs = load_pairs(world, console, test_fraction=0.25)
    assert pairs.identity | {"split": ""} == {"split": "", "train": 6, "held_out": 3, "test": 3}
    groups = [scene_names(side) for side in (pairs.train, pairs.held_out, pairs.test)]
    assert sum(map(len, groups)) == len(set().union(*groups)) and len(pairs.test_metadata) == 3
    assert set(pairs.scenes(pairs.test)) and console.has_line("6 train, 6 held out, of 2, 1 and 1 scene")


def test_few_scenes_are_two_sides_unless_a_third_is_asked_for(world, console):
    assert len(load_pairs(world, console).test) == 0 and console.has_line("judged by what chose it")


def test_order_and_identity_are_of_contents_alone(world, tmp_path, console):
    before = load_pairs(world, console, val_fraction=0)
    for path in sorted(world.rglob("*_p0.png")):
        path.rename(path.with_name(path.name.replace("_p0", "_p77")))
    after = load_pairs(world, console, val_fraction=0)
    assert before.identity == after.identity and len(before.held_out) == 0 and len(before.train) == 12
    assert all(torch.equal(before.plain[0, k][0], after.plain[0, k][0]) for k in range(12))
    save(next(world.rglob("s1/*.png")), fields(32, 99)[0])
    assert load_pairs(world, console, val_fraction=0).identity != before.identity


def test_a_split_is_followed_or_left_out(world, console):
    assert rsforge("data split --data-dir {} --val 0.5 --test 0.25 --quiet", world) == 0
    split = load_split(world / "split.json")
    pairs = load_pairs(world, console, val_fraction=0.25)
    assert sample_names(pairs.held_out) == set(split.subsets["val"]) and sample_names(pairs.train) == set(
        split.subsets["train"]
    )
    assert console.has_line("--val-fraction is not used")
    assert len(load_pairs(world, console, split="none", val_fraction=0.25).held_out) == 3
    assert load_refused("RSF-D012", world, console, split=str(world / "absent.json"))


@pytest.mark.parametrize("change", ["gone", "new", "other"])
def test_a_split_of_other_pairs_is_refused(world, console, change):
    assert rsforge("data split --data-dir {} --quiet", world) == 0
    two = [world / "agri" / folder / f"ROIs1970_fall_{folder}_0_p1.png" for folder in ("s1", "s2")]
    for path in two:
        if change == "gone":
            path.unlink()
        elif change == "new":
            shutil.copy(path, path.with_name(path.name.replace("_p1", "_p9")))
    if change == "other":
        save(two[1], fields(32, 77)[1])
    assert "agri/ROIs1970_fall_0_p" in load_refused("RSF-D012", world, console).found


def test_a_split_of_more_pairs_holds_for_some_of_them(world, console):
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    split = load_split(world / "split.json")
    some = {"terrains": ("agri", "coast", "river"), "max_per_terrain": 2}
    pairs = load_pairs(world, console, **some)
    assert sample_names(pairs.train) < set(split.subsets["train"]) and sample_names(pairs.held_out) < set(
        split.subsets["val"]
    )
    assert len(sample_names(pairs.train) | sample_names(pairs.held_out)) == 6
    save(world / "agri/s2/ROIs1970_fall_s2_0_p0.png", fields(32, 5)[1])
    assert "agri/ROIs1970_fall_0_p0" in load_refused("RSF-D012", world, console, **some).found


def test_a_bad_pair_of_a_split_is_left_out_where_it_is_to_be(world, console):
    (world / "agri/s1/ROIs1970_fall_s1_0_p0.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --quiet", world) == 0
    assert load_refused("RSF-D002", world, console).found.startswith("agri/ROIs1970_fall_0_p0")
    pairs = load_pairs(world, console, on_bad="skip")
    assert pairs.identity["train"] + pairs.identity["held_out"] == 11
    assert console.has_line("left out agri/ROIs1970_fall_0_p0")


def test_a_split_without_training_pairs_is_refused(world, console):
    assert rsforge("data split --data-dir {} --val 0.5 --quiet", world) == 0
    split = load_split(world / "split.json")
    for folder in ("s1", "s2"):
        for name in split.subsets["train"]:
            folder_, stem = name.split("/")
            (world / folder_ / folder / f"{stem.replace('fall_', f'fall_{folder}_')}.png").write_bytes(b"broken")
    assert rsforge("data split --data-dir {} --val 0.5 --quiet --overwrite", world) == 0
    load_refused("RSF-D004", world, console, on_bad="skip")


def test_unknown_scenes_need_a_word(world, console):
    for path in sorted(world.rglob("*.png")):
        path.rename(path.with_name(path.name.split("_")[-1]))
    error = load_refused("RSF-D011", world, console)
    assert all(word in error.fix for word in ("--allow-leak", "rsforge data split", "--val-fraction 0"))
    pairs = load_pairs(world, console, allow_leak=True)
    assert pairs.identity["held_out"] in (2, 3) and console.has_line("neighbours may be in different subsets")
    assert len(load_pairs(world, console, val_fraction=0).held_out) == 0


def test_one_scene_cannot_be_divided(world, console):
    error = load_refused("RSF-D004", world, console, terrains=("river",))
    assert "rsforge data split" in error.fix and "--by block" in error.fix and "--val-fraction 0" in error.fix
    assert rsforge("data synth --kind pairs-csv --count 4 --size 16 --output-dir {} --quiet", world.parent / "one") == 0
    assert "--by block" in load_refused("RSF-D004", world.parent / "one", console).fix


def test_copies_stay_in_one_subset(world, console):
    """A pair of each scene is a copy of one of the next: the scenes are chained together."""
    for k in range(2):
        for folder in ("s1", "s2"):
            shutil.copy(
                world / TERRAINS[k] / folder / f"ROIs1970_fall_{folder}_{k}_p0.png",
                world / TERRAINS[k + 1] / folder / f"ROIs1970_fall_{folder}_{k + 1}_p0.png",
            )
    for seed in range(6):
        assert scene_names(load_pairs(world, console, seed=seed).held_out) in ({"urban"}, {"agri", "coast", "river"})


def test_pairs_that_share_pixels_stay_together(tmp_path, console):
    groups = write_overlapping_pairs(tmp_path)
    options = {"val_fraction": 0.5, "allow_leak": True, "allow_gray_optical": True}
    for seed in range(3):
        held_out = sample_names(load_pairs(tmp_path, console, seed=seed, **options).held_out)
        assert len(held_out) == 4 and all(len(held_out.intersection(names)) in (0, 2) for names in groups)
    assert console.has_line("overlap    8 of 8 share pixels, by what they show: 4 groups that stay together")
    apart = sample_names(load_pairs(tmp_path, console, **options, overlap_by_content=False).held_out)
    assert any(len(apart.intersection(names)) == 1 for names in groups)
