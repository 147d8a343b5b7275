"""Hyperspectral patches divided by the stored split, by scenes, or by blocks of one scene."""

from __future__ import annotations

import h5py
import pytest

from rsforge.data.splits.split_file import load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.cube_patches import PatchSets, find_patch_sets
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_patches import edit, write_plain, write_scene


@pytest.fixture
def console():
    return RecordingConsole()


def names(refs) -> set[str]:
    return {ref.name for ref in refs}


def scenes(refs) -> set[str]:
    return {ref.file.name for ref in refs}


def refusal(root, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        find_patch_sets(root, RecordingConsole(), **options)
    return caught.value


def windows(sets: PatchSets) -> tuple[set[int], set[int]]:
    """The columns of pixels that each side shows."""
    sides = []
    for refs in (sets.train, sets.val):
        with h5py.File(refs[0].file.path) as file:
            starts = [int(file["window"][ref.row][1]) for ref in refs]
        sides.append({column for start in starts for column in range(start, start + 30)})
    return sides[0], sides[1]


def write_scenes(root, count: int = 3):
    for k in range(count):
        write_scene(root / f"flight_{k}" / "test_patches.h5", 2 + k, seed=k)
    return root


def test_whole_scenes_are_held_out(tmp_path, console):
    sets = find_patch_sets(write_scenes(tmp_path), console, val_fraction=0.3)
    assert scenes(sets.train).isdisjoint(scenes(sets.val)) and not sets.test
    assert len(sets.train) + len(sets.val) == 9 and sets.val
    assert sets.identity | {"split": ""} == {"split": "", "train": len(sets.train), "held_out": len(sets.val)}
    assert (
        console.has_line("by scene")
        and console.has_line("read as nanometres (in 3 files)")
        and console.meters == [("hashed", 9, 9)]
    )


@pytest.mark.parametrize("stride", [30, 15])
def test_one_scene_is_divided_by_blocks_and_no_pixel_is_on_both_sides(tmp_path, console, stride):
    write_scene(tmp_path / "one" / "test_patches.h5", 12, stride=stride)
    sets = find_patch_sets(tmp_path, console)
    train, val = windows(sets)
    assert train and val and not train & val and console.has_line("by block")


def test_the_stored_split_is_followed(tmp_path, console):
    write_scenes(tmp_path)
    line = "data split --data-dir {} --by scene --val 0.3 --test 0.3 --seed 3 --quiet"
    assert rsforge(line, tmp_path) == 0
    split = load_split(tmp_path / "split.json")
    sets = find_patch_sets(tmp_path, console)
    for subset, refs in (("train", sets.train), ("val", sets.val), ("test", sets.test)):
        assert names(refs) == set(split.subsets[subset]) != set()
    assert console.has_line(f"digest {split.digest[:12]}")
    other = find_patch_sets(tmp_path, console, split=str(tmp_path / "split.json"), val_fraction=0.9)
    assert other.identity == sets.identity
    assert find_patch_sets(tmp_path, console, split="none", val_fraction=0).identity != sets.identity


def test_three_sides_where_there_are_enough_scenes(tmp_path, console):
    write_scenes(tmp_path, 3)
    assert not find_patch_sets(tmp_path, console, val_fraction=0.3, test_fraction=None).test
    assert console.has_line("judged by what chose it")
    sets = find_patch_sets(tmp_path, console, val_fraction=0.3, test_fraction=0.3)
    assert sets.identity["test"] == len(sets.test) > 0
    assert scenes(sets.train).isdisjoint(scenes(sets.test)) and scenes(sets.val).isdisjoint(scenes(sets.test))


def test_three_sides_of_the_blocks_of_one_scene(tmp_path, console):
    write_scene(tmp_path / "one" / "test_patches.h5", 30)
    sets = find_patch_sets(tmp_path, console, test_fraction=None)
    assert min(len(sets.val), len(sets.test)) >= 5 and console.has_line("judged on test")


def test_a_split_of_other_data_is_refused(tmp_path):
    write_scenes(tmp_path)
    assert rsforge("data split --data-dir {} --by scene --quiet", tmp_path) == 0
    edit(tmp_path / "flight_1" / "test_patches.h5", "aviris", (0, 3, 3, 3), 2)
    error = refusal(tmp_path)
    assert error.code == "RSF-D012" and "flight_1/test_patches.h5#0" in error.found
    assert find_patch_sets(tmp_path, RecordingConsole(), split="none").val


def test_order_and_identity_are_of_contents(tmp_path, console):
    before = find_patch_sets(write_scenes(tmp_path), console, val_fraction=0)
    (tmp_path / "flight_0").rename(tmp_path / "zuletzt")
    after = find_patch_sets(tmp_path, console, val_fraction=0)
    assert before.identity == after.identity and not after.val and len(after.train) == 9
    moved = [ref.name.replace("zuletzt", "flight_0") for ref in after.train]
    assert moved == [ref.name for ref in before.train]


def test_plain_files_count_as_scenes(tmp_path, console):
    for k in range(3):
        write_plain(tmp_path / f"{k}.h5", 2 + k)
    sets = find_patch_sets(tmp_path, console)
    assert scenes(sets.train).isdisjoint(scenes(sets.val)) and len(scenes(sets.train)) == 2
    assert console.has_line("unknown for 9 of 9 patches: each file counts as one scene")


def test_a_single_file_without_places_cannot_be_divided_unless_leaks_are_allowed(tmp_path, console):
    write_plain(tmp_path / "x.h5", 5)
    error = refusal(tmp_path)
    assert error.code == "RSF-D011" and error.where == "--val-fraction" and "stores where they lie" in error.fix
    assert len(find_patch_sets(tmp_path, console, val_fraction=0).train) == 5
    sets = find_patch_sets(tmp_path, console, allow_leak=True)
    assert (len(sets.train), len(sets.val)) == (4, 1)


def test_a_single_patch_cannot_be_divided(tmp_path, console):
    write_scene(tmp_path / "a" / "test_patches.h5", 1)
    error = refusal(tmp_path)
    assert error.code == "RSF-D004" and "a single patch" in error.fix
    assert len(find_patch_sets(tmp_path, console, val_fraction=0).train) == 1


def test_a_scene_that_cannot_be_divided_by_block_says_what_helps(tmp_path):
    write_scene(tmp_path / "a" / "test_patches.h5", 2, stride=1)
    error = refusal(tmp_path)
    assert error.code == "RSF-D004" and "--val-fraction 0" in error.fix and "smaller --block-size" in error.fix


def test_zero_patches_and_damage_are_named(tmp_path):
    assert refusal(tmp_path).code == "RSF-D001"
    write_plain(tmp_path / "x.h5", 0)
    assert refusal(tmp_path).code == "RSF-D004"
    (tmp_path / "y.h5").write_bytes(b"no HDF5")
    assert refusal(tmp_path).code == "RSF-D008"


def test_a_split_without_training_patches_is_refused(tmp_path):
    write_scenes(tmp_path)
    assert rsforge("data split --data-dir {} --by scene --val 0.3 --quiet", tmp_path) == 0
    split = load_split(tmp_path / "split.json")
    split.subsets["val"] += split.subsets.pop("train")
    split.subsets["train"] = []
    (tmp_path / "split.json").write_text(split.text())
    assert refusal(tmp_path).code == "RSF-D004"
