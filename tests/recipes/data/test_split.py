"""``data split`` through the command line."""

from __future__ import annotations

import json
import os

import h5py
import numpy as np
import pytest
from affine import Affine

from rsforge.data.io.dataset_card import write_card
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.leaks import find_leaks
from rsforge.data.splits.split_file import Split, load_split, write_split
from tests.worlds.commands import rsforge
from tests.worlds.cube_patches import write_patches
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pairs import fields, save, write_pairs
from tests.worlds.rasters import write


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "data", ("a", "b", "c", "d", "e"), 2, 32)
    return tmp_path / "data"


def test_scenes_are_divided_and_stored(pairs, capsys):
    assert rsforge("data split --data-dir {} --val 0.2 --test 0.2 --json", pairs) == 0
    told = json.loads(capsys.readouterr().out)
    split = load_split(pairs / "split.json")
    assert (told["train"], told["val"], told["test"]) == (6, 2, 2) and told["digest"] == split.digest
    assert len({name.split("_p")[0] for name in split.subsets["val"]}) == 1
    assert split.facts["kind"] == "pairs" and len(split.facts["data_digest"]) == 64


def test_the_same_split_again_is_nothing_to_do_and_another_needs_overwrite(pairs, capsys):
    assert rsforge("data split --data-dir {} --json", pairs) == 0
    assert rsforge("data split --data-dir {} --json", pairs) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["written"] is False
    assert rsforge("data split --data-dir {} --seed 1", pairs) == 2
    assert "RSF-U004" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --seed 1 --overwrite", pairs) == 0
    assert load_split(pairs / "split.json").seed == 1


def test_a_dry_run_writes_nothing(pairs, capsys):
    assert rsforge("data split --data-dir {} --dry-run --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["val"] == 2
    assert not (pairs / "split.json").exists()


@pytest.mark.parametrize("by", ["scene", "patch", "block", "coordinate"])
def test_what_is_not_known_is_refused(tmp_path, capsys, by):
    for k in range(4):
        for side, pixels in zip(("s1", "s2"), fields(32, k), strict=True):
            save(tmp_path / "agri" / side / f"{k}.png", pixels)
    assert rsforge("data split --data-dir {} --by {}", tmp_path, by) == 3
    assert "RSF-D011" in capsys.readouterr().err and not (tmp_path / "split.json").exists()
    if by != "block":
        assert rsforge("data split --data-dir {} --by {} --allow-leak", tmp_path, by) == 0
        assert load_split(tmp_path / "split.json").facts["leak"] is True
        assert "will be too good" in capsys.readouterr().err


def test_photographs_part_but_not_the_same_one_twice(tmp_path, capsys):
    for k in range(20):
        save(tmp_path / f"{k % 2}" / f"{k:02d}.png", fields(16, k // 2)[1])
    assert rsforge("data split --data-dir {} --val 0.3", tmp_path) == 0
    assert "scene of its own" in capsys.readouterr().err
    split = load_split(tmp_path / "split.json")
    side = dict(zip(names := [f"{k % 2}/{k:02d}.png" for k in range(20)], split.subset_of(names), strict=True))
    assert [side[a] == side[b] for a, b in zip(names[::2], names[1::2], strict=True)] == [True] * 10
    assert len(split.subsets["val"]) == 6


def test_patches_of_overlapping_windows(tmp_path, capsys):
    write_patches(tmp_path / "a.h5", 16)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["scene"][:] = ["s"] * 16
        file["window"][:] = np.array([(0, 4 * k, 8, 8) for k in range(16)])
    assert rsforge("data split --data-dir {} --by patch", tmp_path) == 3
    assert "RSF-D011" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --by block --block-size 24", tmp_path) == 0
    split = load_split(tmp_path / "split.json")
    assert split.left_out and split.subsets["val"] and split.subsets["train"][0].startswith("a.h5#")


def test_shares_that_leave_nothing(pairs, capsys):
    assert rsforge("data split --data-dir {} --val 0.6 --test 0.6", pairs) == 2
    assert "RSF-U005" in capsys.readouterr().err


def cut_scene(folder, stride=16, layout="terrain", **place):
    """A set cut from scenes of 64 x 64 pixels: one PNG scene, or GeoTIFF scenes by the place of their corner."""
    scenes = folder / "scenes"
    for name, corner in (place or {"scene1": None}).items():
        sar, optical = fields(64, len(name))
        if corner is None:
            save(scenes / name / "s1.png", sar)
            save(scenes / name / "s2.png", optical)
        else:
            (scenes / name).mkdir(parents=True)
            transform = Affine(10, 0, 500000 + 10 * corner, 0, -10, 5500000)
            write(scenes / name / "s1.tif", sar[..., None], transform=transform)
            write(scenes / name / "s2.tif", optical, transform=transform)
    line = f"data tile --sar {{}} --optical {{}} --output-dir {{}} --size 16 --stride {stride} --layout {layout}"
    assert rsforge(line, scenes, scenes, folder / "cut") == 0
    return folder / "cut"


@pytest.mark.parametrize("place", ["card", "names"])
@pytest.mark.parametrize("layout", ["tiles", "auto"])
def test_patches_taken_for_plain_images_do_not_leak(tmp_path, capsys, place, layout):
    cut = cut_scene(tmp_path, 8)
    root = cut if layout == "tiles" else cut / "scene1" / "s2"
    if place == "names":
        (cut / "dataset.json").unlink()
    assert rsforge("data split --data-dir {} --by patch --layout {}", root, layout) == 3
    assert "RSF-D011" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --layout {}", root, layout) == 3
    assert "RSF-D004" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --by block --block-size 32 --layout {}", root, layout) == 0
    split, items = load_split(root / "split.json"), find_contents(root, layout=layout).items
    assert split.subsets["val"] and not find_leaks(split, items)
    windows = {item.window for item in items}
    assert len(windows) == 49 and {item.scene for item in items} == {items[0].scene}


@pytest.mark.parametrize(("folder", "layout"), [("", "tiles"), ("r_000", "tiles"), ("r_000/s2_000", "auto")])
def test_places_of_patches_are_those_of_their_tables(tmp_path, capsys, folder, layout):
    root = cut_scene(tmp_path, 8, "regions") / folder
    assert rsforge("data split --data-dir {} --by patch --layout {}", root, layout) == 3
    assert "RSF-D011" in capsys.readouterr().err
    (tmp_path / "dataset.json").write_text("of another make")
    (tmp_path / "cut" / "dataset.json").unlink()
    assert rsforge("data split --data-dir {} --by patch --layout {}", root, layout) == 0


def test_scenes_that_lie_over_each_other_stay_on_one_side(tmp_path, capsys):
    cut = cut_scene(tmp_path, a=0, b=32, c=1000)
    for seed in range(4):
        assert rsforge("data split --data-dir {} --val 0.3 --seed {} --overwrite", cut, seed) == 0
        side = load_split(cut / "split.json").subset_of(f"{s}/{s}_r00000_c00000" for s in "abc")
        assert side[0] == side[1] != side[2]
    items = find_contents(cut).items
    names = {s: [item.name for item in items if item.scene == s] for s in "abc"}
    assert items[0].footprint.window.row == -550000 and items[0].footprint.plane.startswith("EPSG:32632")
    hand = Split("hand", 0, {"train": names["a"] + names["c"], "val": names["b"], "test": []})
    write_split(cut / "hand.json", hand)
    assert rsforge("data audit --data-dir {} --split {}", cut, cut / "hand.json") == 3
    assert json.loads((cut / "audit.json").read_text())["counts"]["leak"] == 8
    capsys.readouterr()


def test_a_block_smaller_than_a_patch_is_refused_at_once(tmp_path, capsys):
    cut = cut_scene(tmp_path)
    for block in (1, 15):
        assert rsforge("data split --data-dir {} --by block --block-size {}", cut, block) == 2
        assert "RSF-U005" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--block-size 99", "--guard 3", "--distance-km 9", "--by block --distance-km 9"])
def test_options_of_another_way_of_dividing_are_refused(pairs, capsys, option):
    assert rsforge(f"data split --data-dir {{}} {option}", pairs) == 2
    assert "RSF-U005" in capsys.readouterr().err


def test_terrains_are_for_pairs(tmp_path, capsys):
    save(tmp_path / "a" / "1.png", fields(16, 0)[1])
    for option in ("--terrains a", "--max-per-terrain 1"):
        assert rsforge(f"data split --data-dir {{}} {option}", tmp_path) == 2
        assert "RSF-U005" in capsys.readouterr().err


def test_an_unfinished_cut_is_not_divided(pairs, capsys):
    write_card(pairs, "pairs", complete=False)
    assert rsforge("data split --data-dir {}", pairs) == 3
    said = capsys.readouterr().err
    assert "RSF-D013" in said and "data tile" in said and not (pairs / "split.json").exists()
    assert rsforge("data stats --data-dir {}", pairs) == 0
    assert "1 problems (dataset.json" in capsys.readouterr().err


def test_a_device_is_never_replaced(pairs, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "data"):
        assert rsforge("data split --data-dir {} --output {} --overwrite", pairs, tmp_path / name) == 6
        assert "RSF-E008" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo()


def test_shares_that_are_missed_by_far_are_warned_of(tmp_path, capsys):
    write_pairs(tmp_path / "data", ("a", "b"), 2, 32)
    for k in range(20):
        for modality, pixels in zip((1, 2), fields(32, 50 + k), strict=True):
            save(tmp_path / "data" / "b" / f"s{modality}" / f"ROIs1970_fall_s{modality}_1_p{50 + k}.png", pixels)
    assert rsforge("data split --data-dir {} --val 0.4", tmp_path / "data") == 0
    assert "the subset val has 8.3% of the items where 40.0% were asked for" in capsys.readouterr().err


def test_much_that_is_left_out_is_warned_of(tmp_path, capsys):
    cut = cut_scene(tmp_path)
    assert rsforge("data split --data-dir {} --by block --block-size 32 --guard 16", cut) in (0, 3)
    said = capsys.readouterr().err
    assert "left out" in said


def test_shares_are_judged_before_anything_is_read(tmp_path, capsys):
    assert rsforge("data split --data-dir {} --val 0.6 --test 0.6", tmp_path / "missing") == 2
    assert "RSF-U005" in capsys.readouterr().err


def test_patches_that_share_pixels_stay_together(tmp_path, capsys):
    groups = write_overlapping_pairs(tmp_path)
    line = "data split --data-dir {} --by patch --allow-leak --val 0.5 --overwrite --json"
    parted = 0
    for seed in range(4):
        assert rsforge(f"{line} --seed {seed}", tmp_path) == 0
        told = json.loads(capsys.readouterr().out)
        split = load_split(tmp_path / "split.json")
        assert told["shared_pixels"] == split.facts["shared_pixels"] == {"pairs": 4, "items": 8, "groups": 4}
        assert all(len(set(split.subset_of(names))) == 1 for names in groups) and told["val"] == 4
        assert rsforge(f"{line} --seed {seed} --no-overlap-by-content", tmp_path) == 0
        assert "shared_pixels" not in json.loads(capsys.readouterr().out)
        split = load_split(tmp_path / "split.json")
        parted += sum(len(set(split.subset_of(names))) > 1 for names in groups)
    assert parted > 4
    assert rsforge("data split --data-dir {} --by region --val 0.5", tmp_path) == 3  # the only region


def state_sides(pairs, **lists):
    """A published division of the pairs beside them, by the names of their SAR images."""
    path = pairs.parent / "published.json"
    path.write_text(json.dumps({"data": lists}))
    return path


def test_a_published_division_is_followed_and_its_scenes_on_both_sides_are_said(pairs, capsys):
    names = sorted(path.relative_to(pairs).as_posix() for path in pairs.rglob("s1*/*.*"))
    path = state_sides(pairs, train=[*names[::2], "gone/s1/x.png"], val=names[1::4], test=names[3::4][:-1])
    assert rsforge("data split --data-dir {} --sides {} --no-overlap-by-content", pairs, path) == 0
    said = capsys.readouterr().err
    assert "patches of the same scenes on both sides" in said and "this is not its whole division" in said
    assert "1 item of no stated side" in said
    split = load_split(pairs / "split.json")
    assert split.by == "stated" and len(split.left_out) == 1 and split.facts["leaks"]["scene"] > 0
    assert [len(split.subsets[side]) for side in ("train", "val", "test")] == [
        len(names[::2]), len(names[1::4]), len(names[3::4]) - 1
    ]  # fmt: skip


@pytest.mark.parametrize("more", ["--val 0.1", "--test 0.1", "--by scene"])
def test_a_published_division_has_its_own_shares(pairs, capsys, more):
    path = state_sides(pairs, train=["a"], val=["b"])
    assert rsforge(f"data split --data-dir {{}} --sides {{}} {more}", pairs, path) == 2
    assert "the file of --sides says what is in which subset" in capsys.readouterr().err


def test_a_published_division_of_other_data_is_refused(pairs, capsys):
    path = state_sides(pairs, train=["a"], val=["b"])
    assert rsforge("data split --data-dir {} --sides {}", pairs, path) == 3
    assert "names none of the" in capsys.readouterr().err and not (pairs / "split.json").exists()
    names = sorted(path.relative_to(pairs).as_posix() for path in pairs.rglob("*.png"))
    sar = next(name for name in names if "s1" in name.split("/")[-2])
    item = next(one for one in find_contents(pairs).items if one.paths[0].relative_to(pairs).as_posix() == sar)
    optical = item.paths[1].relative_to(pairs).as_posix()
    path = state_sides(pairs, train=[sar], val=[optical])
    assert rsforge("data split --data-dir {} --sides {}", pairs, path) == 3
    assert f"files of {item.name} are in train and in val" in capsys.readouterr().err
