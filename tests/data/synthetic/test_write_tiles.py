"""Tiles of alternating classes as files."""

from __future__ import annotations

import numpy as np

from rsforge.data.synthetic.landscape import KINDS
from rsforge.data.synthetic.world import draw_strips
from rsforge.data.synthetic.write_tiles import list_files, write
from tests.worlds.pairs import load


def test_names_give_class_and_number():
    assert list_files(6) == [
        "classes.txt",
        *(f"000{k}_0001.png" for k in (1, 2, 3, 4)),
        "0001_0002.png",
        "0002_0002.png",
    ]


def test_the_files_are_those_that_were_listed_with_their_classes(tmp_path):
    assert list(write(tmp_path, count=5, size=16, seed=3)) == [1] * 5
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(list_files(5))
    assert (tmp_path / "classes.txt").read_text().splitlines() == [f"{k} {kind}" for k, kind in enumerate(KINDS, 1)]
    (scene,) = draw_strips(3, 1, 16, kind=list(KINDS)[1])
    assert np.array_equal(load(tmp_path / "0002_0001.png"), scene.pixels())
