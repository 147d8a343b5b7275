"""Values that stand where nothing was measured."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.views.undeclared_fill import find_fill
from tests.worlds.awkward_images import colours, decibels, grain


def everywhere(values):
    return np.ones(values.shape[:2], bool)


@pytest.mark.parametrize("value", [0.0, -9999.0, 25.0, -13.0])
def test_a_float_that_fills_the_border_is_found_whatever_it_is(value):
    values = decibels(0)
    values[:, :8] = value
    fill = find_fill(values, everywhere(values))
    assert fill is not None and fill.value == value and fill.share == pytest.approx(1 / 3, abs=0.02)


def test_a_rotated_scene_and_all_bands_of_it():
    values = np.stack([grain(k, 48, 300, 3000) for k in range(4)], -1).astype(np.uint16)
    rows, cols = np.mgrid[:48, :48]
    values[rows + cols < 20] = 0
    assert find_fill(values, everywhere(values)).value == 0
    values[rows + cols < 20] = (0, 0, 0, 7)  # one band holds something else
    assert find_fill(values, everywhere(values)) is None


def test_sound_images_have_no_fill():
    dim = np.random.default_rng(0).poisson(0.6, (64, 64, 1)).astype(np.uint16)
    for values in (decibels(1), colours(1), grain(2, 64, 0, 12).astype(np.uint16)[..., None], dim):
        assert find_fill(values, everywhere(values)) is None


def test_a_lake_inside_and_what_is_declared_are_none():
    values = decibels(2)
    values[8:16, 8:16] = -22.5
    assert find_fill(values, everywhere(values)) is None
    values = decibels(3)
    values[:, :8] = 0
    valid = everywhere(values)
    valid[:, :8] = False
    assert find_fill(values, valid) is None


def test_integers_in_the_middle_of_the_range_are_no_fill():
    values = grain(4, 48, 0, 1000).astype(np.uint16)[..., None]
    values[:, :16] = 500
    assert find_fill(values, everywhere(values)) is None


def cut(name, rows, cols):
    """Which pixels are outside an image, or on dark or white ground."""
    return {
        "columns": cols < 9,
        "a corner": rows + cols < 40,
        "a slant": 3 * rows + cols < 90,
        "all corners": (rows + 3 * cols < 30) | (3 * rows - cols > 150) | (rows + 3 * cols > 220),
        "a shore": cols < 20 + 5 * np.sin(rows / 4),
        "a lake": (rows - 5) ** 2 + (cols - 30) ** 2 < 300,
    }[name]


@pytest.mark.parametrize(
    ("name", "straight"),
    [
        ("columns", True),
        ("a corner", True),
        ("a slant", True),
        ("all corners", True),
        ("a shore", False),
        ("a lake", False),
    ],
)
@pytest.mark.parametrize("turns", range(4))
def test_edges_of_images_are_straight_and_those_of_waters_are_not(name, straight, turns):
    values = np.clip(colours(1, 64), 1, 254)
    values[cut(name, *np.mgrid[:64, :64])] = 0
    values[30:32, 40] = 0  # a dark spot inside changes nothing
    values = np.rot90(values, turns)
    fill = find_fill(values, everywhere(values))
    assert fill is not None and fill.straight == straight


def test_straight_lines_of_any_direction_are_told():
    rows, cols = np.mgrid[:96, :96]
    for degrees in range(0, 360, 7):
        angle = np.radians(degrees)
        values = np.full((96, 96, 1), 9, np.uint8)
        values[(rows - 48) * np.cos(angle) + (cols - 48) * np.sin(angle) > 30] = 0
        assert find_fill(values, everywhere(values)).straight, degrees
