"""Cubes in MATLAB files of versions 5 to 7, and cubes stored as a matrix of bands and pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.bands.keys import find_misspelling, understand
from rsforge.data.cube_headers.meaning import BandMeanings, read_meanings
from rsforge.data.cubes.cube import Cube, band_axis_last, require_shape
from rsforge.data.cubes.hdf5_file import NUMBERS, translate_errors
from rsforge.data.cubes.mat5 import list_variables, load_variable
from rsforge.data.io.image_reader import UnreadableError

Array = npt.NDArray[Any]
F64 = npt.NDArray[np.float64]
Size = tuple[int, int]

ROWS = ("nrow", "nrows", "rows", "lines", "height")
COLS = ("ncol", "ncols", "cols", "columns", "samples", "width")
PER_BAND = ("wavelength", "fwhm", "good", "bad")
SIZES = frozenset((*ROWS, *COLS))
MAX_WHOLE = 1 << 30


def open_matlab(
    path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None, axis: str | None = None
) -> Cube:
    """The cube ``variable``, or the largest numeric array, of a MATLAB file, read completely.

    Three axes are rows, columns, bands, or bands are ``axis``, or the only one as long as the wavelengths. A matrix is
    bands by pixels, in column-major order, or its transpose. ``UnreadableError`` when it cannot be used.
    """
    with translate_errors("it is not an intact MATLAB file"):
        arrays = list_variables(path)
        name = _choose_variable({other: array.shape for other, array in arrays.items()}, variable)
        check_size(arrays[name].shape, 8)
        values = load_variable(path, arrays[name])
        others = [array for array in arrays.values() if array.name != name and _is_metadata(array.name, array.shape)]
        metadata = {array.name: load_variable(path, array) for array in others}
    said = select_said(metadata, values.shape)
    count = _count_wavelengths(said, values.shape) if wavelength_nm is None else len(wavelength_nm)
    notes = [f"the cube is {name}"]
    if values.ndim == 3:
        cube = cube_from_array(path, values.transpose(band_axis_last(values.shape, count, axis=axis, sure=True)))
        if axis is None and count is not None and values.shape.count(count) > 1:
            notes.append(f"of its {values.shape.count(count)} axes of {count}, the last is that of the bands")
    else:
        sizes = {key.lower(): value for key, value in metadata.items()}
        cube = cube_from_matrix(path, values, count, size or find_size(sizes))
    meanings = read_meanings(said, cube.bands, own_wavelengths=wavelength_nm is None)
    return replace(cube, meanings=meanings, notes=(*notes, *meanings.notes, *cube.notes))


def _is_metadata(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a variable is a size, or says something of bands."""
    if name.lower() in SIZES:
        return True
    return sum(side > 1 for side in shape) <= 1 and bool(understand(name)[0] or find_misspelling(name, ()))


def select_said(metadata: Mapping[str, Array], shape: tuple[int, ...]) -> dict[str, Array]:
    """What the variables beside a cube of ``shape`` say of its bands: those with one value, or one a band, if any is.

    The attribute of netCDF with the name ``scale_factor`` is a factor whatever its size; of variables large ones
    divide.
    """
    said = {
        "scale factor" if key == "scale_factor" else key: value.ravel()
        for key, value in metadata.items()
        if value.dtype.kind in NUMBERS or (value.dtype.kind == "b" and understand(key)[0])
    }
    fitting = {key: value for key, value in said.items() if value.size == 1 or value.size in shape}
    # One wavelength is that of no cube, and a list of another length is refused where there is none that fits.
    fitting = {key: value for key, value in fitting.items() if value.size > 1 or understand(key)[0] not in PER_BAND}
    known = {understand(key)[0] for key in fitting}
    others = {key: value for key, value in said.items() if value.size > 1 and understand(key)[0] in PER_BAND}
    return fitting | {key: value for key, value in others.items() if understand(key)[0] not in known}


def _count_wavelengths(said: Mapping[str, Array], shape: tuple[int, ...]) -> int | None:
    """How many bands there are by what has one value for each; None where nothing has."""
    known = (value.size for key, value in said.items() if understand(key)[0] == "wavelength")
    return next((size for size in known if size in shape), None)


def _choose_variable(numeric: Mapping[str, tuple[int, ...]], variable: str | None) -> str:
    if variable is not None and variable not in numeric:
        raise UnreadableError(f"it holds no numeric array {variable}, but {', '.join(numeric) or 'none at all'}")
    arrays = [name for name, shape in numeric.items() if len(shape) in (2, 3) and min(shape) > 1]
    if variable is None and not arrays:
        raise UnreadableError("it holds no numeric array of two or three axes")
    return variable or max(arrays, key=lambda name: math.prod(numeric[name]))


def check_size(shape: tuple[int, ...], itemsize: int) -> None:
    """``UnreadableError`` when an array that must be read completely has more than 1 GiB."""
    if math.prod(shape) * itemsize > MAX_WHOLE:
        raise UnreadableError(f"an array of shape {shape} has more than {MAX_WHOLE >> 30} GiB and must be read whole")


def find_size(metadata: Mapping[str, Array]) -> Size | None:
    """Rows and columns from scalars beside a matrix; None unless both are there."""
    rows, cols = _find_scalar(metadata, ROWS), _find_scalar(metadata, COLS)
    return None if rows is None or cols is None else (rows, cols)


def _find_scalar(metadata: Mapping[str, Array], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = metadata.get(name)
        if value is not None and value.size == 1 and value.dtype.kind in NUMBERS and np.isfinite(value):
            return int(value.item())
    return None


def cube_from_matrix(path: Path, values: Array, count: int | None, size: Size | None) -> Cube:
    """A cube from a matrix of bands and pixels in column-major order; square where no ``size`` is known.

    The axis of pixels is the one that ``size`` fills, else the one that is not as long as the ``count`` of wavelengths,
    else the longer one. ``UnreadableError`` where the pixels do not fill the image.
    """
    if values.ndim != 2:
        raise UnreadableError(f"an array of shape {values.shape} is no cube")
    if size is not None and math.prod(size) in values.shape:
        bands_first = math.prod(size) == values.shape[1]
    elif count is not None and count in values.shape:
        bands_first = count == values.shape[0]
    else:
        bands_first = values.shape[0] < values.shape[1]
    pixels = values if bands_first else values.T
    bands, number = pixels.shape
    rows, cols = size or (math.isqrt(number), math.isqrt(number))
    if rows * cols != number:
        reason = f"a matrix of {values.shape[0]} x {values.shape[1]} is not {rows} x {cols} pixels"
        raise UnreadableError(f"{reason}; give their rows and columns by --size")
    note = "" if size else f"{number} pixels are read as a square of {rows} x {cols}"
    return cube_from_array(path, pixels.reshape(bands, rows, cols, order="F").transpose(1, 2, 0), note)


def cube_from_array(path: Path, values: Array, note: str = "") -> Cube:
    """A cube from values ``(rows, columns, bands)`` in memory."""
    if values.dtype.kind not in NUMBERS:
        raise UnreadableError(f"its values are {values.dtype}, not real numbers")
    height, width, bands = require_shape(values.shape)
    return Cube(
        path=path, height=height, width=width, bands=bands, dtype=str(values.dtype), notes=(note,) if note else (),
        fetch=lambda w: (values[w.row : w.row + w.height, w.col : w.col + w.width], None),
        meanings=BandMeanings(good=np.ones(bands, bool)),
    )  # fmt: skip
