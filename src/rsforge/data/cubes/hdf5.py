"""Cubes in HDF5, MATLAB v7.3 among them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import Cube, Fetched, band_axis_last, checked_shape, require_held
from rsforge.data.cubes.matlab import Size, bounded, matrix, noted_size
from rsforge.data.cubes.wavelengths import FIELDS, WIDTH_FIELDS, credible, in_nm, sound
from rsforge.data.io import hdf5
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]
Arrays = Mapping[str, h5py.Dataset]

NODATA = ("_fillvalue", "missing_value", "nodata", "data_ignore_value")


@hdf5.failing("it is a damaged HDF5 file")
def open_hdf5(path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None) -> Cube:
    """The cube ``variable``, the largest array of three axes when absent, read by windows.

    Its bands are the axis as long as the wavelengths, else the last one; MATLAB's axes are stored in reverse. Values
    are as stored. What cannot be used raises ``UnreadableError``.
    """
    with ExitStack() as stack:
        file = stack.enter_context(hdf5.opened(path))
        arrays = hdf5.numeric_datasets(file)
        dataset = hdf5.check(hdf5.find(file, variable) if variable else _largest(arrays))
        require_held(dataset.size * dataset.dtype.itemsize, _stored(dataset, path))
        own, fwhm, note = _described(dataset, arrays) if wavelength_nm is None else (None, None, "")
        known = own if wavelength_nm is None else wavelength_nm
        reverse = "MATLAB_class" in dataset.attrs
        if dataset.ndim == 2:
            return _from_matrix(path, dataset, arrays, known, size)
        axes = band_axis_last(dataset.shape, known, reverse=reverse)
        height, width, bands = checked_shape(tuple(dataset.shape[axis] for axis in axes))

        def fetch(window: Window) -> Fetched:
            cut = [slice(None)] * 3
            cut[axes[0]] = slice(window.row, window.row + window.height)
            cut[axes[1]] = slice(window.col, window.col + window.width)
            with hdf5.failing("it cannot be decoded"):
                return np.asarray(dataset[tuple(cut)]).transpose(axes), None

        matched = own is not None and len(own) == bands
        return Cube(
            path=path, height=height, width=width, bands=bands, dtype=str(dataset.dtype), fetch=fetch,
            wavelength_nm=own if matched else None, fwhm_nm=fwhm if matched else None,
            good_bands=np.ones(bands, bool), nodata=_nodata(dataset), unit=_text(hdf5.attribute(dataset, ("units",))),
            notes=tuple(filter(None, (f"the cube is {dataset.name}", note if matched else ""))),
            close=stack.pop_all().close,
        )  # fmt: skip


def _largest(arrays: Arrays) -> h5py.Dataset:
    cubes = [array for array in arrays.values() if array.ndim == 3 and array.size]
    if not cubes:
        raise UnreadableError("it holds no numeric array of three axes; a matrix is named by --variable")
    return max(cubes, key=lambda array: array.size)


def _stored(dataset: h5py.Dataset, path: Path) -> int:
    """Bytes that hold its values at most; a data set assembled from others has none of its own."""
    size = path.stat().st_size
    return size if dataset.is_virtual else min(size, int(dataset.id.get_storage_size()))


def _from_matrix(path: Path, dataset: h5py.Dataset, arrays: Arrays, known: F64 | None, size: Size | None) -> Cube:
    bounded(dataset.shape, dataset.dtype.itemsize)
    with hdf5.failing("it cannot be decoded"):
        values = np.asarray(dataset[()])
    notes = {name.rsplit("/", 1)[-1].lower(): hdf5.small(array) for name, array in arrays.items() if array.size == 1}
    return matrix(path, values.T if "MATLAB_class" in dataset.attrs else values, known, size or noted_size(notes))


def _described(dataset: h5py.Dataset, arrays: Arrays) -> tuple[F64 | None, F64 | None, str]:
    """Wavelengths and widths in nm from data sets or attributes of their names, and what was inferred."""
    wavelength, unit = _named(FIELDS, dataset, arrays)
    if wavelength is None or len(wavelength) not in dataset.shape:
        return None, None, ""
    wavelength_nm, note = in_nm(sound(wavelength), unit)
    fwhm, _ = _named(WIDTH_FIELDS, dataset, arrays)
    if fwhm is None or not credible(fwhm, len(wavelength)):
        return wavelength_nm, None, note
    return wavelength_nm, fwhm * (wavelength_nm[0] / wavelength[0]), note


def _named(names: tuple[str, ...], dataset: h5py.Dataset, arrays: Arrays) -> tuple[F64 | None, str]:
    for path, array in arrays.items():
        if path.rsplit("/", 1)[-1].lower() in names and array.size > 1 and array.size in array.shape:
            return hdf5.small(array).astype(float).ravel(), _text(hdf5.attribute(array, ("units",)))
    for thing in (dataset, dataset.parent, dataset.file):
        found = hdf5.attribute(thing, names)
        if isinstance(found, np.ndarray) and found.dtype.kind in hdf5.NUMBERS and found.size:
            return found.astype(float).ravel(), ""
    return None, ""


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _nodata(dataset: h5py.Dataset) -> float | None:
    value = np.asarray(hdf5.attribute(dataset, NODATA))
    return float(value.item()) if value.dtype.kind in hdf5.NUMBERS and value.size == 1 else None
