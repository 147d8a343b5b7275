"""Tiles whose results are larger or smaller by a rational number: exact positions, sizes, weights and masks."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.cubes.resample import apply_along, area_weights
from rsforge.data.io.windows import Window
from rsforge.data.scenes.tiling import TileGrid, scale_mask

many = settings(max_examples=25, deadline=None)
SCALES = [Fraction(1), Fraction(2), Fraction(15, 2), Fraction(3, 2), Fraction(1, 3), Fraction(2, 3), Fraction(2, 15)]


@st.composite
def grids(draw, scales=tuple(SCALES)) -> TileGrid:
    scale = draw(st.sampled_from(scales))
    step = scale.denominator
    tile = step * draw(st.integers(1, 6))
    overlap = draw(st.integers(0, tile - step))
    least = math.ceil(1 / scale)
    height, width = (draw(st.integers(least, least + 50)) for _ in range(2))
    return TileGrid(height, width, tile, overlap, scale)


def through(grid: TileGrid, image: np.ndarray, network) -> np.ndarray:
    """The result ``(C, h, w)`` of ``network(tile, window)`` on every tile ``(T, T, C)`` of an image ``(H, W, C)``."""
    bands = (image[band.row : band.row + band.height] for band in grid.bands())
    tiles = (tile for band in bands for tile in grid.cut(band))
    made = (network(tile, window) for tile, window in zip(tiles, grid.windows(), strict=True))
    return np.concatenate(list(grid.blend(made)), axis=1)


def nearest(image: np.ndarray, scale: Fraction) -> np.ndarray:
    """Every pixel of the result is the one that its centre lies in: ``(C, h, w)``."""
    rows, cols = ([int((i + Fraction(1, 2)) / scale) for i in range(int(n * scale))] for n in image.shape[:2])
    return np.moveaxis(image[np.ix_(rows, cols)], -1, 0).astype(np.float32)


def area(image: np.ndarray, scale: Fraction) -> np.ndarray:
    """Exact area means, for scales up to 1."""
    rows, cols = (area_weights(n, 1 / scale) for n in image.shape[:2])
    return np.moveaxis(apply_along(rows, cols, image), -1, 0).astype(np.float32)


def drawn(grid: TileGrid, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (grid.height, grid.width, 2)).astype(np.float32)


@pytest.mark.parametrize("overlap", [0, 4, 8])
@pytest.mark.parametrize(
    ("size", "scale", "made"),
    [(34, Fraction(15, 2), 255), (33, Fraction(15, 2), 247), (255, Fraction(2, 15), 34), (100, Fraction(1, 3), 33)],
)
def test_results_have_the_size_that_whole_pixels_cover(size, scale, made, overlap):
    grid = TileGrid(size, size, 30, overlap, scale)
    image = np.ones((size, size, 1), np.float32)
    assert through(grid, image, lambda tile, _: nearest(tile, scale)).shape == (1, made, made)


@many
@given(grids(), st.integers(0, 9))
def test_a_network_of_nearest_pixels_gives_the_nearest_pixels_of_the_image(grid, seed):
    image = drawn(grid, seed)
    out = through(grid, image, lambda tile, _: nearest(tile, grid.scale))
    assert out.shape == (2, *grid.result_size)
    assert np.abs(out - nearest(image, grid.scale)).max() <= 1e-6


@many
@given(grids(scales=(Fraction(1, 3), Fraction(2, 3), Fraction(2, 15))))
def test_a_network_of_area_means_gives_the_area_means_of_the_image(grid):
    image = drawn(grid)
    out = through(grid, image, lambda tile, _: area(tile, grid.scale))
    assert np.abs(out - area(image, grid.scale)).max() <= 1e-6


def ramp(window: Window) -> np.ndarray:
    """Its own place in every pixel: rows and columns ``(2, height, width)``."""
    rows = np.arange(window.row, window.row + window.height)
    cols = np.arange(window.col, window.col + window.width)
    return np.stack(np.meshgrid(rows, cols, indexing="ij")).astype(np.float32)


@many
@given(grids())
def test_a_network_that_asks_where_it_is_is_told_exactly(grid):
    def network(tile: np.ndarray, window) -> np.ndarray:
        # What lies inside the image is that part of it: nothing is shifted between source and target.
        assert window.target.row == window.source.row * grid.scale
        assert window.target.width == window.source.width * grid.scale == grid.result_tile
        return ramp(window.target)

    out = through(grid, drawn(grid), network)
    height, width = grid.result_size
    assert np.abs(out - ramp(Window(0, 0, height, width))).max() <= 1e-4


@many
@given(grids())
def test_every_pixel_of_the_result_is_covered_and_weights_sum_to_one(grid):
    height, width = grid.result_size
    seen = np.zeros((height, width), int)
    for _, (row, col, tall, wide) in grid.windows():
        seen[row : row + tall, col : col + wide] += 1
    assert seen.min() >= 1 and len(list(grid.windows())) == len(grid)
    tile = np.ones((1, grid.result_tile, grid.result_tile), np.float32)
    ones = np.concatenate(list(grid.blend([tile] * len(grid))), axis=1)
    assert ones.shape == (1, height, width) and np.abs(ones - 1).max() <= 1e-6


@many
@given(grids())
def test_without_overlap_every_pixel_of_the_result_is_one_tiles(grid):
    hard = TileGrid(grid.height, grid.width, grid.tile, 0, grid.scale)
    tones = iter(range(1, len(hard) + 1))
    out = through(hard, drawn(hard), lambda *_: np.full((1, hard.result_tile, hard.result_tile), next(tones)))
    assert np.isin(out, range(1, len(hard) + 1)).all()


@many
@given(grids())
def test_neighbours_share_the_overlap_or_more(grid):
    rows = sorted({window.source.row for window in grid.windows()})
    assert all(a + grid.tile - b >= grid.overlap for a, b in pairwise(rows))
    assert all(row % grid.step == 0 for row in rows) and rows[0] == 0
    assert rows[-1] + grid.tile >= grid.height > rows[-1]


@pytest.mark.parametrize("scale", [Fraction(2), Fraction(15, 2), Fraction(1, 3)])
def test_a_network_that_is_translation_equivariant_leaves_no_seam(scale):
    """A moving mean over 3 pixels makes of a tile what it makes of the image, but for the outermost pixels."""

    def smooth(pixels: np.ndarray) -> np.ndarray:
        wide = np.pad(pixels, [(0, 0), (1, 1), (1, 1)], mode="reflect")
        parts = [wide[:, i : i + pixels.shape[1], j : j + pixels.shape[2]] for i in range(3) for j in range(3)]
        return (sum(parts) / 9).astype(np.float32)

    image = np.random.default_rng(0).uniform(-1, 1, (90, 78, 1)).astype(np.float32)
    grid = TileGrid(90, 78, 24, 12, scale)
    out = through(grid, image, lambda tile, _: smooth(nearest(tile, scale)))
    whole = smooth(nearest(image, scale))
    # A pixel that the padding of a tile reaches counts by the foot of the raised cosine at most.
    assert np.abs(out - whole).max() <= 2 * np.sin(np.pi / 2 / (12 * scale)) ** 2 + 1e-6
    constant = through(grid, np.ones_like(image), lambda tile, _: smooth(nearest(tile, scale)))
    assert np.abs(constant - 1).max() <= 1e-6


@many
@given(st.sampled_from(SCALES), st.integers(0, 99))
def test_a_pixel_is_valid_where_all_that_it_lies_on_is(scale, seed):
    valid = np.random.default_rng(seed).random((31, 37)) > 0.1
    out = scale_mask(valid, scale)
    assert out.shape == (int(31 * scale), int(37 * scale))
    for row in range(0, out.shape[0], 5):
        for col in range(0, out.shape[1], 5):
            rows, cols = ((int(i / scale), math.ceil((i + 1) / scale)) for i in (row, col))
            assert out[row, col] == valid[slice(*rows), slice(*cols)].all()


def test_the_mask_of_the_same_scale_is_the_same():
    valid = np.random.default_rng(0).random((9, 8)) > 0.5
    assert np.array_equal(scale_mask(valid, Fraction(1)), valid)
