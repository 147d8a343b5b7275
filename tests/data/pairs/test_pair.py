"""Where a pair lies, by the headers of its images."""

from __future__ import annotations

import pytest

from rsforge.data.pairs.index import find_pairs
from tests.worlds.pair_folders import (
    pair_names,
    touch,
    write_georeferenced,
)


def test_folders_side_by_side_pair_by_name_and_grid(tmp_path):
    write_georeferenced(tmp_path, "a")
    write_georeferenced(tmp_path, "b", shift=0.5)
    write_georeferenced(tmp_path, "c", shift=40)
    write_georeferenced(tmp_path, "d", size=17)
    write_georeferenced(tmp_path, "e", crs="EPSG:32633")
    index = find_pairs(tmp_path)
    assert index.layout == "names" and pair_names(index) == ["a", "b"]
    assert index.pairs[0].coordinates == pytest.approx((9.001, 49.652), abs=1e-3)
    assert index.pairs[0].optical.parent.name == "S2RGB" and "S2L2A is left out" in index.notes[1]
    why = dict(index.problems)
    assert "4.00 pixels apart" in why["c"] and "17 x 16" in why["d"] and "coordinate systems" in why["e"]


def test_an_unreadable_header_is_left_to_who_opens_the_pair(tmp_path):
    touch(tmp_path, "s1/1.tif", "s2/1.tif")
    assert pair_names(find_pairs(tmp_path)) == ["1"]
