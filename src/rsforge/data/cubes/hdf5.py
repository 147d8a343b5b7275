"""Cubes in HDF5 files, including MATLAB v7.3."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import Cube, WindowData, band_axis_last, require_shape, require_stored
from rsforge.data.cubes.matlab import Size, check_size, cube_from_matrix, find_size
from rsforge.data.cubes.wavelengths import FIELDS, WIDTH_FIELDS, are_valid_widths, require_valid, to_nanometres
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]
Arrays = Mapping[str, h5py.Dataset]

NODATA = ("_fillvalue", "missing_value", "nodata", "data_ignore_value")


@hdf5_file.translate_errors("it is a damaged HDF5 file")
def open_hdf5(path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """The cube ``variable``, or the largest array of three axes, read by windows with values as stored.

    Its bands are the axis as long as the wavelengths, else the last one; MATLAB stores axes in reverse. A matrix of
    bands and pixels needs its ``size`` in rows and columns. ``UnreadableError`` when it cannot be used.
    """
    with ExitStack() as stack:
        file = stack.enter_context(hdf5_file.open_file(path))
        arrays = hdf5_file.list_numeric_datasets(file)
        dataset = hdf5_file.find_dataset(file, variable) if variable else _find_largest(arrays)
        hdf5_file.check_dataset(dataset)
        require_stored(dataset.size * dataset.dtype.itemsize, _stored_bytes(dataset, path))
        own, fwhm, note = _read_spectrum(dataset, arrays) if wavelength_nm is None else (None, None, "")
        known = own if wavelength_nm is None else wavelength_nm
        reverse = "MATLAB_class" in dataset.attrs
        if dataset.ndim == 2:
            return _open_matrix(path, dataset, arrays, known, size)
        axes = band_axis_last(dataset.shape, known, reverse=reverse)
        height, width, bands = require_shape(tuple(dataset.shape[axis] for axis in axes))

        def fetch(window: Window) -> WindowData:
            cut = [slice(None)] * 3
            cut[axes[0]] = slice(window.row, window.row + window.height)
            cut[axes[1]] = slice(window.col, window.col + window.width)
            with hdf5_file.translate_errors("it cannot be decoded"):
                return np.asarray(dataset[tuple(cut)]).transpose(axes), None

        if own is None or len(own) != bands:
            own = None
            fwhm = None
            note = ""
        return Cube(
            path=path,
            height=height,
            width=width,
            bands=bands,
            dtype=str(dataset.dtype),
            fetch=fetch,
            wavelength_nm=own,
            fwhm_nm=fwhm,
            good_bands=np.ones(bands, bool),
            nodata=_read_nodata(dataset),
            unit=_as_text(hdf5_file.find_attribute(dataset, ("units",))),
            notes=tuple(filter(None, (f"the cube is {dataset.name}", note))),
            close=stack.pop_all().close,
        )


def _find_largest(arrays: Arrays) -> h5py.Dataset:
    cubes = [array for array in arrays.values() if array.ndim == 3 and array.size]
    if not cubes:
        raise UnreadableError("it holds no numeric array of three axes; a matrix is named by --variable")
    return max(cubes, key=lambda array: array.size)


def _stored_bytes(dataset: h5py.Dataset, path: Path) -> int:
    """An upper bound of the bytes that hold its values; a virtual data set has none of its own."""
    size = path.stat().st_size
    return size if dataset.is_virtual else min(size, int(dataset.id.get_storage_size()))


def _open_matrix(path: Path, dataset: h5py.Dataset, arrays: Arrays, known: F64 | None, size: Size | None) -> Cube:
    check_size(dataset.shape, dataset.dtype.itemsize)
    with hdf5_file.translate_errors("it cannot be decoded"):
        values = np.asarray(dataset[()])
    if "MATLAB_class" in dataset.attrs:
        values = values.T
    if size is None:
        single = {name: array for name, array in arrays.items() if array.size == 1}
        size = find_size(
            {name.rsplit("/", 1)[-1].lower(): hdf5_file.read_small(array) for name, array in single.items()}
        )
    return cube_from_matrix(path, values, known, size)


def _read_spectrum(dataset: h5py.Dataset, arrays: Arrays) -> tuple[F64 | None, F64 | None, str]:
    """Wavelengths and widths in nm from data sets or attributes of their names; and a sentence on what was inferred."""
    wavelength, unit = find_named_values(FIELDS, dataset, arrays)
    if wavelength is None or len(wavelength) not in dataset.shape:
        return None, None, ""
    wavelength_nm, note = to_nanometres(require_valid(wavelength), unit)
    fwhm, _ = find_named_values(WIDTH_FIELDS, dataset, arrays)
    if fwhm is None or not are_valid_widths(fwhm, len(wavelength)):
        return wavelength_nm, None, note
    return wavelength_nm, fwhm * (wavelength_nm[0] / wavelength[0]), note


def find_named_values(names: tuple[str, ...], dataset: h5py.Dataset, arrays: Arrays) -> tuple[F64 | None, str]:
    """Values ``(n,)`` and unit, "" where unstated, of an array with one of ``names``, else of such an attribute.

    Attributes of ``dataset``, its group and its file are looked at, in this order; None where there is nothing.
    """
    for path, array in arrays.items():
        if path.rsplit("/", 1)[-1].lower() in names and array.size > 1 and array.size in array.shape:
            return hdf5_file.read_small(array).astype(float).ravel(), _as_text(
                hdf5_file.find_attribute(array, ("units",))
            )
    for thing in (dataset, dataset.parent, dataset.file):
        found = hdf5_file.find_attribute(thing, names)
        if isinstance(found, np.ndarray) and found.dtype.kind in hdf5_file.NUMBERS and found.size:
            return found.astype(float).ravel(), ""
    return None, ""


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def _read_nodata(dataset: h5py.Dataset) -> float | None:
    value = np.asarray(hdf5_file.find_attribute(dataset, NODATA))
    return float(value.item()) if value.dtype.kind in hdf5_file.NUMBERS and value.size == 1 else None
