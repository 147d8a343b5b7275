"""Windows are whole, inside the scene, and know what they share."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rsforge.data.io.windows import Window, WindowGrid, list_windows

SIDES = st.integers(1, 12)
CORNERS = st.integers(-4, 20)
WINDOWS = st.builds(Window, CORNERS, CORNERS, SIDES, SIDES)


def painted(window: Window) -> np.ndarray:
    """The window's pixels on a canvas whose origin lies at (-10, -10)."""
    canvas = np.zeros((50, 50), bool)
    canvas[window.row + 10 :, window.col + 10 :][: window.height, : window.width] = True
    return canvas


@given(WINDOWS, WINDOWS)
def test_shared_pixels_are_counted(a, b):
    assert a.shared_pixels(b) == (painted(a) & painted(b)).sum()


@given(WINDOWS, st.integers(0, 3))
def test_a_grown_window_has_a_rim(a, by):
    grown = a.grow(by)
    assert grown.height == a.height + 2 * by and grown.shared_pixels(a) == a.height * a.width
    assert painted(grown).sum() == (a.height + 2 * by) * (a.width + 2 * by)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 12), st.integers(1, 15))
def test_windows_are_whole_and_all_there(height, width, size, stride):
    found = list_windows(height, width, size, stride)
    assert len(set(found)) == len(found) == len(WindowGrid(height, width, size, stride))
    for w in found:
        assert (w.row % stride, w.col % stride) == (0, 0) and w.row + size <= height and w.col + size <= width
    expected = {(r, c) for r in range(height) for c in range(width) if r % stride == c % stride == 0}
    expected = {(r, c) for r, c in expected if r + size <= height and c + size <= width}
    assert {(w.row, w.col) for w in found} == expected


def test_windows_of_a_giant_scene_are_counted_and_not_made():
    frames = WindowGrid(10**9, 10**8, 10, 10)
    assert len(frames) == 10**15 and next(iter(frames)) == Window(0, 0, 10, 10)
