from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rsforge.data.io.windows import Window
from rsforge.data.scenes.tiling import TileGrid

many = settings(max_examples=60, deadline=None)


@st.composite
def grids(draw) -> TileGrid:
    tile = draw(st.integers(1, 24))
    overlap = draw(st.integers(0, tile - 1))
    return TileGrid(draw(st.integers(1, 70)), draw(st.integers(1, 70)), tile, overlap)


def pieces(grid: TileGrid, image: np.ndarray) -> Iterator[np.ndarray]:
    for window in grid.bands():
        assert window.width == image.shape[1] and window.row + window.height <= image.shape[0]
        yield from grid.cut(image[window.row : window.row + window.height])


def blended(grid: TileGrid, tiles) -> np.ndarray:
    return np.concatenate(list(grid.blend(tiles)), axis=1)


@many
@given(grids(), st.integers(0, 2**31))
@example(TileGrid(29, 30, 14, 13), 0)
def test_tiles_that_are_left_alone_give_the_image_back(grid, seed):
    image = np.random.default_rng(seed).uniform(-1, 1, (grid.height, grid.width, 2)).astype(np.float32)
    tiles = list(pieces(grid, image))
    assert len(tiles) == len(grid) and {tile.shape for tile in tiles} == {(grid.tile, grid.tile, 2)}
    out = blended(grid, (np.moveaxis(tile, -1, 0) for tile in tiles))
    assert out.shape == (2, grid.height, grid.width)
    assert np.abs(out - np.moveaxis(image, -1, 0)).max() <= 1e-6


@many
@given(grids())
def test_weights_add_up_to_one_and_none_is_negative(grid):
    ones = np.ones((1, grid.tile, grid.tile), np.float32)
    assert np.abs(blended(grid, [ones] * len(grid)) - 1).max() <= 1e-6
    for k in range(min(len(grid), 9)):
        own = blended(grid, [ones * (n == k) for n in range(len(grid))])
        assert own.min() >= 0 and own.max() <= 1 + 1e-6


@many
@given(grids(), st.integers(0, 2**31))
def test_without_overlap_every_pixel_is_one_tiles(grid, seed):
    hard = TileGrid(grid.height, grid.width, grid.tile, 0)
    tones = np.random.default_rng(seed).permutation(len(hard)) + 1
    out = blended(hard, [np.full((1, hard.tile, hard.tile), tone, np.float32) for tone in tones])
    assert np.isin(out, tones).all()


def test_two_tiles_fade_into_each_other_in_a_raised_cosine():
    grid = TileGrid(8, 12, 8, 4)
    step = blended(grid, [np.full((1, 8, 8), tone, np.float32) for tone in (0, 1)])
    rise = np.sin(np.pi / 2 * (np.arange(4) + 0.5) / 4) ** 2
    assert np.allclose(step[0, 0], [*[0] * 4, *rise, *[1] * 4], atol=1e-6)
    assert np.array_equal(step[0, 0], step[0, -1])


def test_the_last_tile_is_shifted_inwards_and_fades_in_the_middle_of_what_it_shares():
    grid = TileGrid(8, 13, 8, 2)  # starts at 0 and 5: three pixels are shared
    step = blended(grid, [np.full((1, 8, 8), tone, np.float32) for tone in (0, 1)])
    assert np.allclose(step[0, 0], [*[0] * 5, 0, 0.5, 1, *[1] * 5], atol=1e-6)
    assert list(TileGrid(8, 8, 8, 7).bands()) == [Window(0, 0, 8, 8)] and len(TileGrid(9, 8, 8, 7)) == 2


def test_a_small_image_is_mirrored_up_to_a_tile():
    image = np.arange(6).reshape(2, 3, 1)
    (tile,) = TileGrid(2, 3, 4, 1).cut(image)
    assert np.array_equal(tile, np.pad(image, [(0, 2), (0, 1), (0, 0)], mode="reflect"))
    (single,) = TileGrid(1, 1, 3, 0).cut(np.array([[7]]))
    assert (single == 7).all() and single.shape == (3, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        (8, 8, 4, 4),
        (8, 8, 4, -1),
        (0, 8, 4, 0),
        (8, 8, 5, 0, Fraction(1, 2)),
        (8, 8, 4, 3, Fraction(1, 2)),
        (1, 8, 4, 0, Fraction(1, 2)),
        (8, 8, 4, 0, Fraction(-1)),
    ],
)
def test_what_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="no tiles"):
        TileGrid(*arguments)


def test_a_tall_image_is_blended_in_the_memory_of_few_rows():
    grid = TileGrid(20_000, 64, 32, 8)
    tile = np.ones((3, 32, 32), np.float32)
    tracemalloc.start()
    rows = sum(strip.shape[1] for strip in grid.blend(tile for _ in range(len(grid))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 20_000 and peak < 20_000 * 64 * 3 * 4 / 5
