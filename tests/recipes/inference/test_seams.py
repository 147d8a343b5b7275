"""Neighbouring tiles are compared where they meet."""

from __future__ import annotations

import pytest
import torch

from rsforge.data.scenes.core_tiles import CoreTiles, Reach, window_within
from rsforge.recipes.inference.seams import Seams


def compare(change=lambda values, core: values, *, margin: int = 2) -> dict[str, float]:
    image, seams = torch.rand(3, 20, 23), Seams()
    for core in CoreTiles(20, 23, 8):
        outer = Reach(margin).widen(core, 20, 23)
        rows, cols = window_within(outer, type(core)(0, 0, 20, 23))
        seams.add(core, change(image[:, rows, cols], core), outer)
    return seams.figures()


def test_equal_tiles_have_no_seam():
    assert compare() == {"largest": 0.0, "mean": 0.0}


@pytest.mark.parametrize("place", [(8, 0), (0, 8), (16, 16)])
def test_a_tile_that_differs_is_seen_at_every_edge_before_it(place):
    figures = compare(lambda values, core: values + (0.5 if core[:2] == place else 0))
    assert figures["largest"] == pytest.approx(0.5) and 0 < figures["mean"] < 0.5


def test_gaps_and_tiles_without_a_margin_are_not_compared():
    def gap(values, core):
        return torch.full_like(values, torch.nan) if core[:2] == (8, 8) else values

    assert compare(gap)["largest"] == 0.0
    assert compare(lambda values, core: values + core.row, margin=0) == {"largest": 0.0, "mean": 0.0}
