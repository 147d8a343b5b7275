"""What a folder holds: pairs, photographs, captioned images, patches."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from PIL import Image

from rsforge.data.io.dataset_card import write_card
from rsforge.data.io.windows import Window
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.duplicates import data_digest, digest_items, duplicate_groups
from rsforge.errors import RsforgeError
from tests.worlds.cube_patches import write_patches
from tests.worlds.pairs import fields, load, save, write_pairs


def test_pairs_with_their_scenes(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), 2, 32)
    found = find_contents(tmp_path)
    assert found.kind == "pairs" and found.modalities == ("sar", "optical")
    assert [i.name for i in found.items] == [
        f"{t}/ROIs1970_fall_{k}_p{p}" for k, t in enumerate(("agri", "urban")) for p in range(2)
    ]
    first = found.items[0]
    assert first.scene == "ROIs1970_fall_0" and first.terrain == "agri" and first.season == "fall"
    assert [p.parent.name for p in first.paths] == ["s1", "s2"]
    assert [i.terrain for i in find_contents(tmp_path, terrains=["urban"], max_per_terrain=1).items] == ["urban"]


def test_sets_of_pairs_side_by_side_are_one(tmp_path):
    for name in ("one", "two"):
        write_pairs(tmp_path / name, ("agri",), 2, 32)
    (tmp_path / "notes").mkdir()
    next((tmp_path / "two" / "agri" / "s1").iterdir()).unlink()
    found = find_contents(tmp_path)
    assert found.kind == "pairs" and len(found.items) == 3 and len({i.name for i in found.items}) == 3
    assert {i.scene for i in found.items} == {"one/ROIs1970_fall_0", "two/ROIs1970_fall_0"}
    assert found.orphans[0][0].startswith("two/agri/s2/") and "notes" in found.notes[-1]


def test_photographs_are_scenes_of_their_own(folder):
    found = find_contents(folder)
    assert found.kind == "tiles" and found.modalities == ("image",)
    assert all(i.scene == i.name and i.terrain == i.name.split("/")[0] for i in found.items)


def test_a_pair_folder_without_its_other_half_is_not_taken_for_photographs(tmp_path):
    save(tmp_path / "agri" / "s1" / "1.png", fields(32, 0)[0])
    with pytest.raises(RsforgeError) as caught:
        find_contents(tmp_path)
    assert caught.value.code in ("RSF-D009", "RSF-D001")


def test_captions_and_images_that_miss_each_other(folder):
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.png"))
    lines = [json.dumps({"file_name": n, "text": "x"}) for n in [*names[1:], "gone.png", "../out.png"]]
    (folder / "metadata.jsonl").write_text("\n".join([*lines, "{", "[]", ""]))
    found = find_contents(folder)
    assert found.kind == "captions" and len(found.items) == 12
    assert [name for name, _ in found.orphans] == [names[0], "gone.png"]
    count = len(names)
    assert [name for name, _ in found.problems] == [f"metadata.jsonl:{count + k}" for k in (1, 2, 3)]


def test_patches_with_their_scenes_and_windows(tmp_path):
    write_patches(tmp_path / "b.h5")
    write_patches(tmp_path / "a.h5", 2, places=False)
    found = find_contents(tmp_path)
    assert found.kind == "patches"
    assert [i.name for i in found.items] == ["a.h5#0", "a.h5#1", "b.h5#0", "b.h5#1", "b.h5#2", "b.h5#3"]
    assert found.items[0].scene == "" and found.items[0].window is None
    assert found.items[5].scene == "flight 1" and found.items[5].window == Window(0, 24, 8, 8)


def test_a_broken_file_of_patches_is_named(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(RsforgeError, match=r"a\.h5") as caught:
        find_contents(tmp_path)
    assert caught.value.code == "RSF-D008"


def test_the_card_says_what_it_is(folder):
    write_card(folder, "tiles")
    (folder / "metadata.jsonl").write_text("")
    assert find_contents(folder).kind == "tiles"
    assert find_contents(folder, layout="captions").kind == "captions"


def test_contents_are_told_from_names(folder):
    found = digest_items(find_contents(folder).items)
    before = data_digest(found)
    first = next(folder.rglob("*.png"))
    first.rename(first.with_name("other.png"))
    renamed = digest_items(find_contents(folder).items)
    assert data_digest(renamed) != before and sorted(renamed.values()) == sorted(found.values())
    assert data_digest(dict(reversed(renamed.items()))) == data_digest(renamed)


def test_twins_share_a_file_that_shows_something(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), 2, 32)
    names = [i.name for i in find_contents(tmp_path).items]
    optical = [i.paths[1] for i in find_contents(tmp_path).items]
    save(optical[2], load(optical[0]))
    for path in (optical[1], optical[3]):
        save(path, np.zeros((32, 32, 3), np.uint8))
    items = find_contents(tmp_path).items
    assert duplicate_groups(items, digest_items(items)) == [[names[0], names[2]]]


def test_twins_among_patches(tmp_path):
    write_patches(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["aviris"][3] = file["aviris"][1]
    items = find_contents(tmp_path).items
    counted = []
    assert duplicate_groups(items, digest_items(items, lambda: counted.append(1))) == [["a.h5#1", "a.h5#3"]]
    assert len(counted) == 4


def test_files_that_vanish_are_the_environments_fault(folder):
    items = find_contents(folder).items
    items[3].paths[0].unlink()
    with pytest.raises(RsforgeError) as caught:
        digest_items(items)
    assert caught.value.code == "RSF-E008"
    Image.new("RGB", (4, 4)).save(items[3].paths[0])
    assert len(digest_items(items)) == 12
