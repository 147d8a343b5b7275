"""Values of a cube: nodata, ranges, shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsforge.data.cubes.cube import Cube, band_axis_last, require_shape, require_stored
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window


def test_shapes():
    assert band_axis_last((5, 6, 7), None) == (0, 1, 2) and band_axis_last((5, 6, 7), None, reverse=True) == (2, 1, 0)
    assert band_axis_last((5, 6, 7), np.ones(5)) == (1, 2, 0) and band_axis_last((7, 6, 7), np.ones(7)) == (0, 1, 2)
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
    cube = Cube(path=Path("x"), height=2, width=2, bands=1, dtype=dtype, nodata=nodata,
                fetch=lambda w: (values, None), good_bands=np.ones(1, bool))  # fmt: skip
    assert cube.read(Window(0, 0, 2, 2))[1].sum() == 4 - invalid


def test_what_compression_explains_is_not_refused():
    require_stored(1 << 30, 0)
    require_stored(1032 << 30, 1 << 30)
    with pytest.raises(UnreadableError):
        require_stored(1033 << 30, 1 << 30)


def cube_of(values: np.ndarray, **more) -> Cube:
    height, width, bands = values.shape
    return Cube(path=Path("x"), height=height, width=width, bands=bands, dtype=str(values.dtype),
                fetch=lambda w: (values, None), good_bands=np.ones(bands, bool), **more)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_values_that_stand_for_nothing_are_taken_so_where_nothing_else_is_declared(dtype):
    values = np.ones((2, 3, 1), dtype)
    values[0, 0], values[0, 1], values[0, 2], values[1, 0] = -9999, -32768, -9998, -1
    cube = cube_of(values)
    assert cube.assumed_nodata == set()
    assert np.argwhere(~cube.read(Window(0, 0, 2, 3))[1]).tolist() == [[0, 0], [0, 1]]
    assert cube.assumed_nodata == {-9999, -32768}
    declared = cube_of(values, nodata=-1.0)
    assert np.argwhere(~declared.read(Window(0, 0, 2, 3))[1]).tolist() == [[1, 0]] and declared.assumed_nodata == set()


def test_values_beyond_float32_are_invalid():
    values = np.array([[[1e300, 1]], [[2, 3]]])
    assert cube_of(values).read(Window(0, 0, 2, 1))[1].tolist() == [[False], [True]]
    assert not cube_of(values, gain=np.array([1, 1e39])).read(Window(0, 0, 2, 1))[1].any()
