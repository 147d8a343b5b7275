"""Grids that are read without other help."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.recipes.inference.labelled_grid import GAP, MARGIN, draw_labelled_grid, enlarge, save_labelled_grid


@pytest.mark.parametrize(("side", "enlarged"), [(8, 128), (48, 144), (127, 254), (128, 128), (300, 300)])
def test_small_images_are_enlarged_by_a_whole_factor(side, enlarged):
    pixels = np.random.default_rng(0).integers(0, 255, (2, side, side, 3), np.uint8)
    larger = enlarge(pixels)
    assert larger.shape == (2, enlarged, enlarged, 3)
    factor = enlarged // side
    assert np.array_equal(larger[:, ::factor, ::factor], pixels)
    assert np.array_equal(larger[:, factor - 1 :: factor, factor - 1 :: factor], pixels)


def test_every_image_stands_in_its_place_under_the_name_of_its_column():
    pixels = np.stack([np.full((128, 128, 3), 10 * k, np.uint8) for k in range(6)])
    sheet = np.asarray(draw_labelled_grid(pixels, nrow=3, title="t", columns=("a", "b", "c"), rows=("x", "y")))
    left, top = GAP + MARGIN, GAP + 2 * MARGIN
    assert sheet.shape == (top + 2 * (128 + GAP), left + 3 * (128 + GAP), 3)
    for k in range(6):
        row, column = divmod(k, 3)
        y, x = top + row * (128 + GAP), left + column * (128 + GAP)
        assert (sheet[y : y + 128, x : x + 128] == 10 * k).all()
    for column in range(3):
        x = left + column * (128 + GAP)
        assert (sheet[top - MARGIN : top - GAP, x : x + 20] < 128).any()
    assert (sheet[top : top + 128, GAP:left] < 128).any() and (sheet[GAP : GAP + MARGIN, :30] < 128).any()


def test_a_grid_without_names_has_no_margin(tmp_path):
    save_labelled_grid(tmp_path / "a.png", torch.zeros(3, 1, 16, 16), nrow=2)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (GAP + 2 * (128 + GAP), GAP + 2 * (128 + GAP))
