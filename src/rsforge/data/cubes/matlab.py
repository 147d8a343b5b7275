"""Cubes in MATLAB files of versions 5 to 7, and cubes stored as a matrix of bands and pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import Cube, band_axis_last, require_shape
from rsforge.data.cubes.hdf5_file import NUMBERS, translate_errors
from rsforge.data.cubes.mat5 import list_variables, load_variable
from rsforge.data.cubes.wavelengths import FIELDS, require_valid, to_nanometres
from rsforge.data.io.image_reader import UnreadableError

Array = npt.NDArray[Any]
F64 = npt.NDArray[np.float64]
Size = tuple[int, int]

ROWS = ("nrow", "nrows", "rows", "lines", "height")
COLS = ("ncol", "ncols", "cols", "columns", "samples", "width")
METADATA = frozenset((*ROWS, *COLS, *FIELDS))
MAX_WHOLE = 1 << 30


def open_matlab(path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """The cube ``variable``, or the largest numeric array, of a MATLAB file, read completely.

    Three axes are rows, columns, bands; a matrix is bands by pixels, in column-major order, or its transpose.
    ``UnreadableError`` when it cannot be used.
    """
    with translate_errors("it is not an intact MATLAB file"):
        arrays = list_variables(path)
        name = _choose_variable({other: array.shape for other, array in arrays.items()}, variable)
        check_size(arrays[name].shape, 8)
        values = load_variable(path, arrays[name])
        others = [array for array in arrays.values() if array.name != name and array.name.lower() in METADATA]
        metadata = {array.name.lower(): load_variable(path, array) for array in others}
    own, note = _find_wavelengths(metadata, values.shape) if wavelength_nm is None else (None, "")
    known = own if wavelength_nm is None else wavelength_nm
    if values.ndim == 3:
        cube = cube_from_array(path, values.transpose(band_axis_last(values.shape, known)))
    else:
        cube = cube_from_matrix(path, values, known, size or find_size(metadata))
    if own is not None and len(own) != cube.bands:
        own = None
        note = ""
    notes = tuple(filter(None, (f"the cube is {name}", note, *cube.notes)))
    return replace(cube, wavelength_nm=own, notes=notes)


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


def _find_wavelengths(metadata: Mapping[str, Array], shape: tuple[int, ...]) -> tuple[F64 | None, str]:
    found = next((metadata[key].ravel() for key in FIELDS if key in metadata), None)
    if found is None or found.dtype.kind not in NUMBERS or len(found) not in shape:
        return None, ""
    return to_nanometres(require_valid(found.astype(float)))


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


def cube_from_matrix(path: Path, values: Array, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """A cube from a matrix of bands and pixels in column-major order; square where no ``size`` is known.

    The axis of pixels is the one that ``size`` fills, else the one that is not as long as the wavelengths, else the
    longer one. ``UnreadableError`` where the pixels do not fill the image.
    """
    if values.ndim != 2:
        raise UnreadableError(f"an array of shape {values.shape} is no cube")
    if size is not None and math.prod(size) in values.shape:
        bands_first = math.prod(size) == values.shape[1]
    elif wavelength_nm is not None and len(wavelength_nm) in values.shape:
        bands_first = len(wavelength_nm) == values.shape[0]
    else:
        bands_first = values.shape[0] < values.shape[1]
    pixels = values if bands_first else values.T
    bands, count = pixels.shape
    rows, cols = size or (math.isqrt(count), math.isqrt(count))
    if rows * cols != count:
        reason = f"a matrix of {values.shape[0]} x {values.shape[1]} is not {rows} x {cols} pixels"
        raise UnreadableError(f"{reason}; give their rows and columns by --size")
    note = "" if size else f"{count} pixels are read as a square of {rows} x {cols}"
    return cube_from_array(path, pixels.reshape(bands, rows, cols, order="F").transpose(1, 2, 0), note)


def cube_from_array(path: Path, values: Array, note: str = "") -> Cube:
    """A cube from values ``(rows, columns, bands)`` in memory."""
    if values.dtype.kind not in NUMBERS:
        raise UnreadableError(f"its values are {values.dtype}, not real numbers")
    height, width, bands = require_shape(values.shape)
    return Cube(
        path=path, height=height, width=width, bands=bands, dtype=str(values.dtype), notes=(note,) if note else (),
        fetch=lambda w: (values[w.row : w.row + w.height, w.col : w.col + w.width], None),
        good_bands=np.ones(bands, bool),
    )  # fmt: skip
