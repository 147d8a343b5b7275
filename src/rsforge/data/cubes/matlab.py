"""Cubes in MATLAB files of versions 5 to 7, and cubes that are stored as a matrix of bands and pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import Cube, band_axis_last, checked_shape
from rsforge.data.cubes.mat5 import load, variables
from rsforge.data.cubes.wavelengths import FIELDS, in_nm, sound
from rsforge.data.io.hdf5 import NUMBERS, failing
from rsforge.data.io.image_reader import UnreadableError

Array = npt.NDArray[Any]
F64 = npt.NDArray[np.float64]
Size = tuple[int, int]

ROWS, COLS = ("nrow", "nrows", "rows", "lines", "height"), ("ncol", "ncols", "cols", "columns", "samples", "width")
NOTED = frozenset((*ROWS, *COLS, *FIELDS))
MAX_WHOLE = 1 << 30


def open_matlab(path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """The cube ``variable``, the largest numeric array when absent, of a MATLAB file, which is read whole.

    Three axes are rows, columns, bands; a matrix is bands by pixels, column after column, or its transpose. Cells,
    structures and objects are never built; what cannot be used raises ``UnreadableError``.
    """
    with failing("it is not an intact MATLAB file"):
        held = variables(path)
        name = _chosen({other: held[other].shape for other in held}, variable)
        bounded(held[name].shape, 8)
        values = load(path, held[name])
        notes = {other.lower(): load(path, held[other]) for other in held if other.lower() in NOTED and other != name}
    own, note = _wavelengths(notes, values.shape) if wavelength_nm is None else (None, "")
    known = own if wavelength_nm is None else wavelength_nm
    if values.ndim == 3:
        cube = whole(path, values.transpose(band_axis_last(values.shape, known)))
    else:
        cube = matrix(path, values, known, size or noted_size(notes))
    matched = own if own is not None and len(own) == cube.bands else None
    said = tuple(filter(None, (f"the cube is {name}", note if matched is not None else "", *cube.notes)))
    return replace(cube, wavelength_nm=matched, notes=said)


def _chosen(numeric: Mapping[str, tuple[int, ...]], variable: str | None) -> str:
    if variable is not None and variable not in numeric:
        raise UnreadableError(f"it holds no numeric array {variable}, but {', '.join(numeric) or 'none at all'}")
    arrays = [name for name, shape in numeric.items() if len(shape) in (2, 3) and min(shape) > 1]
    if variable is None and not arrays:
        raise UnreadableError("it holds no numeric array of two or three axes")
    return variable or max(arrays, key=lambda name: math.prod(numeric[name]))


def bounded(shape: tuple[int, ...], itemsize: int) -> None:
    """``UnreadableError`` when an array that must be read whole is declared larger than 1 GiB."""
    if math.prod(shape) * itemsize > MAX_WHOLE:
        raise UnreadableError(f"an array of shape {shape} has more than {MAX_WHOLE >> 30} GiB and must be read whole")


def _wavelengths(notes: Mapping[str, Array], shape: tuple[int, ...]) -> tuple[F64 | None, str]:
    found = next((notes[key].ravel() for key in FIELDS if key in notes), None)
    if found is None or found.dtype.kind not in NUMBERS or len(found) not in shape:
        return None, ""
    return in_nm(sound(found.astype(float)))


def noted_size(notes: Mapping[str, Array]) -> Size | None:
    """Rows and columns that a file says beside its matrix."""
    single = {k: int(v.item()) for k, v in notes.items() if v.size == 1 and v.dtype.kind in NUMBERS and np.isfinite(v)}
    rows, cols = (next((single[k] for k in names if k in single), None) for names in (ROWS, COLS))
    return None if rows is None or cols is None else (rows, cols)


def matrix(path: Path, values: Array, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """A cube of a matrix of bands and pixels, MATLAB's column after column; a square of pixels when no size is known.

    The pixels are the axis that ``size`` fills, else not the wavelengths', else the longer one.
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
        found = f"a matrix of {values.shape[0]} x {values.shape[1]} is not {rows} x {cols} pixels"
        raise UnreadableError(f"{found}; give their rows and columns by --size")
    note = "" if size else f"{count} pixels are taken as a square of {rows} x {cols}"
    return whole(path, pixels.reshape(bands, rows, cols, order="F").transpose(1, 2, 0), note)


def whole(path: Path, values: Array, note: str = "") -> Cube:
    """A cube of values (rows, columns, bands) that are in memory already."""
    if values.dtype.kind not in NUMBERS:
        raise UnreadableError(f"its values are {values.dtype}, not real numbers")
    height, width, bands = checked_shape(values.shape)
    return Cube(
        path=path, height=height, width=width, bands=bands, dtype=str(values.dtype), notes=(note,) if note else (),
        fetch=lambda w: (values[w.row : w.row + w.height, w.col : w.col + w.width], None),
        good_bands=np.ones(bands, bool),
    )  # fmt: skip
