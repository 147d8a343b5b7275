"""Values of a cube: nodata, ranges, shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rsforge.data.cube_headers.meaning import BandMeanings
from rsforge.data.cubes.cube import Cube, band_axis_last, require_shape, require_stored
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window


def test_shapes():
    assert band_axis_last((5, 6, 7), None) == (0, 1, 2) and band_axis_last((5, 6, 7), None, reverse=True) == (2, 1, 0)
    assert band_axis_last((5, 6, 7), 5) == (1, 2, 0) and band_axis_last((7, 6, 7), 7, sure=True) == (0, 1, 2)
    assert band_axis_last((7, 7, 7), 7, axis="middle") == (0, 2, 1)
    assert band_axis_last((7, 7, 7), 7, axis="first", reverse=True) == (1, 0, 2)
    with pytest.raises(UnreadableError, match="2 axes of 7 x 6 x 7 values are as long as the 7 wavelengths"):
        band_axis_last((7, 6, 7), 7)
    for shape in ((4, 5), (0, 4, 5)):
        with pytest.raises(UnreadableError):
            require_shape(shape)
    with pytest.raises(UnreadableError):
        band_axis_last((4, 5), None)


@pytest.mark.parametrize(
    ("dtype", "nodata", "invalid"),
    [("float32", -3.4028234663852886e38, True), ("uint8", -9999.0, False), ("int16", 0.5, False), ("uint8", 0.0, True)],
)
def test_nodata_is_compared_in_the_stored_type(dtype, nodata, invalid):
    values = np.ones((2, 2, 1), dtype)
    values[0, 0] = nodata if invalid else 1
    cube = cube_of(values, fill=nodata)
    assert cube.read(Window(0, 0, 2, 2))[1].sum() == 4 - invalid


def test_what_compression_explains_is_not_refused():
    require_stored(1 << 30, 0)
    require_stored(1032 << 30, 1 << 30)
    with pytest.raises(UnreadableError):
        require_stored(1033 << 30, 1 << 30)


def cube_of(values: np.ndarray, **more) -> Cube:
    height, width, bands = values.shape
    return Cube(path=Path("x"), height=height, width=width, bands=bands, dtype=str(values.dtype),
                fetch=lambda w: (values[w.row : w.row + w.height, w.col : w.col + w.width], None),
                meanings=BandMeanings(good=np.ones(bands, bool), **more))  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_values_that_stand_for_nothing_are_taken_so_where_nothing_else_is_declared(dtype):
    values = np.ones((2, 3, 1), dtype)
    values[0, 0], values[0, 1], values[0, 2], values[1, 0] = -9999, -32768, -9998, -1
    cube = cube_of(values)
    assert cube.assumed_nodata == set()
    assert np.argwhere(~cube.read(Window(0, 0, 2, 3))[1]).tolist() == [[0, 0], [0, 1]]
    assert cube.assumed_nodata == {-9999, -32768}
    declared = cube_of(values, fill=-1.0)
    assert np.argwhere(~declared.read(Window(0, 0, 2, 3))[1]).tolist() == [[1, 0]] and declared.assumed_nodata == set()


def test_values_beyond_float32_are_invalid():
    values = np.array([[[1e300, 1]], [[2, 3]]])
    assert cube_of(values).read(Window(0, 0, 2, 1))[1].tolist() == [[False], [True]]
    assert not cube_of(values, scale=np.array([1, 1e39])).read(Window(0, 0, 2, 1))[1].any()


def test_spectra_of_zeros_are_no_measurement_and_counted():
    values = np.random.default_rng(0).uniform(1, 2, (6, 5, 9)).astype(np.float32)
    values[:, 3:], values[0, 0, :8] = 0, 0
    cube = cube_of(values, fill=-9999.0)
    valid = cube.read(Window(0, 0, 6, 5))[1]
    assert valid[:, :3].all() and not valid[:, 3:].any() and cube.empty_spectra == {0.0: 12}
    kept = np.arange(9) < 8  # the pixel that measured in the last band alone
    assert not cube.read(Window(0, 0, 1, 1), kept)[1].any()
    few = cube_of(values[..., :4])
    assert few.read(Window(0, 0, 6, 5))[1].all()  # 0 in four bands happens


def test_one_value_in_every_band_is_found_and_left_out_when_named():
    values = np.random.default_rng(0).uniform(1, 2, (40, 40, 9)).astype(np.float32)
    values[:, 30:] = 7
    cube = cube_of(values)
    assert cube.find_undeclared_fill() == 7 and cube.read(Window(0, 0, 40, 40))[1].all()
    assert cube_of(values, fill=7.0).find_undeclared_fill() is None
    assert cube_of(values * 0 + 7).find_undeclared_fill() is None  # all of it is even
    values[:, 30:] = 0
    assert cube_of(values).find_undeclared_fill() is None
    named = replace(cube, fill=0.0)
    assert named.read(Window(0, 0, 40, 40))[1].sum() == 1200
    low = cube_of(values, valid_range=(1.2, np.inf))
    assert np.array_equal(low.read(Window(0, 0, 9, 9))[1], (values[:9, :9] >= 1.2).all(-1))
