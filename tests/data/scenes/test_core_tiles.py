"""Tiles that share no pixel, and the windows around them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rsforge.data.io.windows import Window
from rsforge.data.scenes.core_tiles import CoreTiles, Reach, scale_window, window_within


@pytest.mark.parametrize("scale", ["1", "15/2", "3", "5/3"])
@pytest.mark.parametrize("size", [(1, 1), (34, 35), (61, 100), (64, 30)])
def test_every_pixel_of_the_result_lies_in_one_tile(size, scale):
    tiles = CoreTiles(*size, 30, Fraction(scale))
    count = np.zeros(tiles.result_size, int)
    for window in tiles:
        rows, cols = window_within(scale_window(window, tiles.scale), Window(0, 0, *count.shape))
        count[rows, cols] += 1
    assert (count == 1).all() and len(list(tiles)) == len(tiles)


def test_sizes_of_results_are_exact():
    assert CoreTiles(34, 256, 32, Fraction(15, 2)).result_size == (255, 1920)


def test_a_tile_that_begins_within_a_pixel_of_the_result_is_refused():
    with pytest.raises(ValueError, match="scale 15/2"):
        CoreTiles(10, 10, 3, Fraction(15, 2))


@pytest.mark.parametrize("step", [1, 8])
def test_a_window_holds_its_margin_and_begins_at_a_multiple_of_the_step(step):
    reach = Reach(5, step)
    for window in CoreTiles(70, 50, 16):
        outer = reach.widen(window, 70, 50)
        assert outer.row % step == outer.col % step == 0
        for axis, size in ((0, 70), (1, 50)):
            start, end = window[axis], window[axis] + window[axis + 2]
            assert max(0, start - 5 - step) < outer[axis] + 1 and outer[axis] <= max(0, start - 5)
            assert outer[axis] + outer[axis + 2] == min(size, end + 5)
