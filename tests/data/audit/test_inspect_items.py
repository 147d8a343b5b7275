"""Items opened once, with everything that one item shows."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.audit.inspect_items import inspect_items
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.contents import find_contents
from tests.worlds.cube_patches import write_patches
from tests.worlds.pairs import load, save, write_pairs


def test_pairs_are_opened_once_and_judged(tmp_path):
    write_pairs(tmp_path, count=5)
    sar = sorted((tmp_path / "fields" / "s1").iterdir())
    optical = sorted((tmp_path / "fields" / "s2").iterdir())
    sar[0].write_bytes(sar[0].read_bytes()[:500])
    save(optical[1], load(optical[1])[:50])
    save(optical[2], load(optical[2])[..., 0])
    save(optical[3], np.roll(load(optical[3]), 4, 0))
    inspections = list(inspect_items(find_contents(tmp_path), radiometry=Radiometry("db", -25, 0), gray=False))
    assert [[f.kind for f in e.faults] for e in inspections] == [
        ["corrupt"], ["radiometry", "size"], ["gray", "radiometry"], ["radiometry"], ["radiometry"],
    ]  # fmt: skip
    assert inspections[0].stats[0] is None and inspections[1].shift is None
    assert inspections[3].shift.rows == pytest.approx(4, abs=0.5) and inspections[4].shift.length < 0.5


def test_patches_are_judged_row_by_row(tmp_path):
    import h5py

    write_patches(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["aviris"][1, 2, 2] = np.nan
        file["aviris"][2] = 0
    inspections = list(inspect_items(find_contents(tmp_path), radiometry=None, gray=True))
    assert [[f.kind for f in e.faults] for e in inspections] == [[], ["non-finite"], ["constant"], []]
