"""Digests of items, and items of equal contents."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from PIL import Image

from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.duplicates import data_digest, digest_items, duplicate_groups
from rsforge.errors import RsforgeError
from tests.worlds.cube_patches import write_patches
from tests.worlds.pairs import load, save, write_pairs


def test_contents_do_not_depend_on_names(folder):
    found = digest_items(find_contents(folder).items)
    before = data_digest(found)
    first = next(folder.rglob("*.png"))
    first.rename(first.with_name("other.png"))
    renamed = digest_items(find_contents(folder).items)
    assert data_digest(renamed) != before and sorted(renamed.values()) == sorted(found.values())
    assert data_digest(dict(reversed(renamed.items()))) == data_digest(renamed)


def test_duplicates_share_a_file_that_shows_something(tmp_path):
    write_pairs(tmp_path, ("agri", "urban"), 2, 32)
    names = [i.name for i in find_contents(tmp_path).items]
    optical = [i.paths[1] for i in find_contents(tmp_path).items]
    save(optical[2], load(optical[0]))
    for path in (optical[1], optical[3]):
        save(path, np.zeros((32, 32, 3), np.uint8))
    items = find_contents(tmp_path).items
    assert duplicate_groups(items, digest_items(items)) == [[names[0], names[2]]]


def test_duplicates_among_patches(tmp_path):
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
