"""Cubes in HDF5 files, including MATLAB v7.3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.bands.keys import find_misspelling, name_concerning, understand
from rsforge.data.cube_headers import prisma
from rsforge.data.cube_headers.meaning import BandMeanings, read_meanings
from rsforge.data.cube_headers.numbers import parse_numbers
from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import Cube, WindowData, band_axis_last, require_shape, require_stored
from rsforge.data.cubes.envi import read_map_info
from rsforge.data.cubes.matlab import PER_BAND, Size, check_size, cube_from_matrix, find_size, select_said
from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]
Arrays = Mapping[str, h5py.Dataset]

# Attributes of netCDF, HDF-EOS and h5py that say nothing of the values.
BENIGN = ("units", "standard name", "long name", "valid name")
_DIMENSIONS = ("wavelength", "good", "band names")
_WINDOWS = ("band_window_1_nanometers", "band_window_2_nanometers")


@hdf5_file.translate_errors("it is a damaged HDF5 file")
def open_hdf5(
    path: Path, variable: str | None, wavelength_nm: F64 | None, size: Size | None, axis: str | None = None
) -> Cube:
    """The cube ``variable``, or the largest array of three axes, read by windows with values as stored.

    Its bands are ``axis``, or the axis that its dimensions call so, or that is as long as the wavelengths, else the
    last one; MATLAB stores axes in reverse. A matrix of bands and pixels needs its ``size`` in rows and columns. The
    two cubes of a PRISMA product are one. ``UnreadableError`` when it cannot be used.
    """
    with ExitStack() as stack:
        file = stack.enter_context(hdf5_file.open_file(path))
        arrays = hdf5_file.list_numeric_datasets(file)
        shapes = {name: array.shape for name, array in arrays.items()}
        table = None if wavelength_nm is None else len(wavelength_nm)
        if detectors := prisma.choose_detectors(prisma.find_detectors(dict(file.attrs), shapes), variable, table):
            return _open_prisma(path, file, detectors, stack)
        dataset = hdf5_file.find_dataset(file, variable) if variable else _find_largest(arrays)
        hdf5_file.check_dataset(dataset)
        require_stored(dataset.size * dataset.dtype.itemsize, _stored_bytes(dataset, path))
        said = _collect(dataset, arrays)
        count = _count_wavelengths(said, dataset.shape) if wavelength_nm is None else len(wavelength_nm)
        reverse = "MATLAB_class" in dataset.attrs
        if dataset.ndim == 2:
            cube = _open_matrix(path, dataset, arrays, count, size)
            found = read_meanings(said, cube.bands, own_wavelengths=wavelength_nm is None, benign=BENIGN)
            return replace(cube, meanings=found, notes=(*cube.notes, *found.notes))
        axis = axis or _find_named_axis(dataset)
        axes = band_axis_last(dataset.shape, count, reverse=reverse, axis=axis, sure=reverse)
        height, width, bands = require_shape(tuple(dataset.shape[axis] for axis in axes))

        def fetch(window: Window) -> WindowData:
            cut = [slice(None)] * 3
            cut[axes[0]] = slice(window.row, window.row + window.height)
            cut[axes[1]] = slice(window.col, window.col + window.width)
            with hdf5_file.translate_errors("it cannot be decoded"):
                return np.asarray(dataset[tuple(cut)]).transpose(axes), None

        found = read_meanings(said, bands, own_wavelengths=wavelength_nm is None, benign=BENIGN)
        return Cube(
            path=path,
            height=height,
            width=width,
            bands=bands,
            dtype=str(dataset.dtype),
            fetch=fetch,
            meanings=_drop_windows(found, dataset),
            grid=_read_grid(dataset),
            notes=(f"the cube is {dataset.name}", *found.notes),
            close=stack.pop_all().close,
        )


def _find_largest(arrays: Arrays) -> h5py.Dataset:
    cubes = [array for array in arrays.values() if array.ndim == 3 and array.size and array.dtype.kind != "b"]
    if not cubes:
        raise UnreadableError("it holds no numeric array of three axes; a matrix is named by --variable")
    return max(cubes, key=lambda array: array.size)


def _stored_bytes(dataset: h5py.Dataset, path: Path) -> int:
    """An upper bound of the bytes that hold its values; a virtual data set has none of its own."""
    size = path.stat().st_size
    return size if dataset.is_virtual else min(size, int(dataset.id.get_storage_size()))


def _open_matrix(path: Path, dataset: h5py.Dataset, arrays: Arrays, count: int | None, size: Size | None) -> Cube:
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
    return cube_from_matrix(path, values, count, size)


def _collect_attributes(dataset: h5py.Dataset) -> dict[str, Any]:
    """What the attributes of a data set, of its group and of the file say of it, the nearest first.

    What scales values stands beside them; names that nobody understands are kept where they sound as if they did.
    """
    said: dict[str, Any] = {}
    for thing in (dataset, dataset.parent, dataset.file):
        own = thing is dataset
        concerning = name_concerning([key for key in thing.attrs if not key.isupper()]) if own else []
        for key in thing.attrs:
            meaning = understand(key)[0]
            near = own or meaning not in ("unit", "offset", "gain", "scale", "valid range", "valid min", "valid max")
            new = meaning and near and meaning not in {understand(name)[0] for name in said}
            if new or key in concerning:
                said[key] = thing.attrs[key]
    return said


def _collect(dataset: h5py.Dataset, arrays: Arrays) -> dict[str, Any]:
    """What the file says of the cube: attributes of the data set, of its group and of the file, and small arrays.

    Of arrays of one name, as two cubes in a file have them, that one counts whose length is that of an axis, and then
    the one next to the cube. Names that nobody understands are kept where they sound as if they concerned values.
    """
    said = _collect_attributes(dataset)
    small: dict[str, npt.NDArray[Any]] = {}
    near = sorted(arrays.items(), key=lambda item: -_count_common(item[0], str(dataset.name)))
    # First those that fit: of two cubes in a file each has its own.
    for fits in (True, False):
        for path, array in near:
            key = _name_array(path, array)
            known = {understand(name)[0] for name in (*said, *small)}
            if not _concerns_bands(array, dataset, fits=fits) or (meaning := understand(key)[0]) in known:
                continue
            if not meaning and not find_misspelling(key, known):
                continue
            small[key] = hdf5_file.read_small(array)
            unit = _as_text(hdf5_file.find_attribute(array, ("units", "unit")))
            if meaning in ("wavelength", "fwhm") and unit:
                said[f"{meaning} units"] = unit
    return said | select_said(small, dataset.shape)


def _concerns_bands(array: h5py.Dataset, dataset: h5py.Dataset, *, fits: bool) -> bool:
    """Whether an array beside a cube may say something of its bands: by its name, and by its length where it ``fits``.

    What has one value for each band may lie anywhere, single values beside the cube.
    """
    meaning = understand(_name_array(str(array.name), array))[0]
    if array.size not in array.shape and array.size != 1:
        return False
    if array.size == 1:
        return fits and array.parent == dataset.parent and meaning not in ("", "unit", *PER_BAND)
    if meaning not in PER_BAND and not (meaning != "unit" and array.parent == dataset.parent):
        return False
    return (array.size in dataset.shape) == fits and (fits or meaning in PER_BAND)


def _name_array(path: str, array: h5py.Dataset) -> str:
    """What an array is called; a coordinate of wavelengths may be called as its axis is."""
    return "wavelength" if array.ndim == 1 and _is_coordinate(array) else path.rsplit("/", 1)[-1]


def _is_coordinate(array: h5py.Dataset) -> bool:
    """Whether attributes of an array say that it holds wavelengths, as the CF conventions name them."""
    told = _as_text(hdf5_file.find_attribute(array, ("standard_name",)))
    named = _as_text(hdf5_file.find_attribute(array, ("long_name",)))
    return told in ("radiation_wavelength", "sensor_band_central_radiation_wavelength") or bool(
        re.fullmatch(r"(band )?(cent(er|re|ral) )?wavelengths?( of (the )?bands?)?", named.lower())
    )


def _count_common(one: str, other: str) -> int:
    """The number of groups in which two paths both lie, and which they share from the root on."""
    pairs = zip(one.split("/")[:-1], other.split("/"), strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), one.count("/"))


def _count_wavelengths(said: Mapping[str, Any], shape: tuple[int, ...]) -> int | None:
    """How many wavelengths or marks of bands the file gives, as many as an axis has; None where it gives none."""
    for meaning in _DIMENSIONS:
        for key, value in said.items():
            numbers = parse_numbers(value) if understand(key)[0] == meaning else None
            if numbers is not None and len(numbers) in shape:
                return len(numbers)
    return None


def _find_named_axis(dataset: h5py.Dataset) -> str | None:
    """The axis that the labels or the scales of its dimensions call that of the bands; None where none does."""
    for axis, dimension in zip(("first", "middle", "last"), dataset.dims, strict=False):
        names = [dimension.label, *(str(scale.name or "").rsplit("/", 1)[-1] for scale in dimension.values())]
        if any(understand(name)[0] == "wavelength" or name.lower() in ("band", "bands") for name in names):
            return axis
    return None


def _drop_windows(meanings: BandMeanings, dataset: h5py.Dataset) -> BandMeanings:
    """Bands in the windows of wavelengths that a NEON product gives as those of water vapour are not good."""
    good = meanings.good.copy()
    for name in _WINDOWS if meanings.wavelength_nm is not None else ():
        limits = next(
            (parse_numbers(found) for thing in (dataset, dataset.parent)
             if (found := hdf5_file.find_attribute(thing, (name,))) is not None), None
        )  # fmt: skip
        if limits is not None and len(limits) == 2:
            good &= (meanings.wavelength_nm < limits[0]) | (meanings.wavelength_nm > limits[1])
    return replace(meanings, good=good)


def _read_grid(dataset: h5py.Dataset) -> Grid | None:
    """The grid of a NEON product, whose text is that of ENVI's ``map info``; None where there is none."""
    found = {}
    for key in ("Map_Info", "Coordinate_System_String"):
        try:
            text = hdf5_file.find_dataset(dataset.file, f"{dataset.parent.name}/Metadata/Coordinate_System/{key}")
        except UnreadableError:
            continue
        if text.size == 1:
            found[key] = _as_text(np.asarray(text[()]).ravel()[0])
    return read_map_info(found.get("Map_Info", ""), found.get("Coordinate_System_String", ""))


def _open_prisma(path: Path, file: h5py.File, detectors: list[prisma.Detector], stack: ExitStack) -> Cube:
    """The cubes of the detectors of a PRISMA product as one, bands of each by rising wavelength."""
    arrays = [hdf5_file.check_dataset(hdf5_file.find_dataset(file, detector.path)) for detector in detectors]
    first = arrays[0]
    height, _, width = require_shape(first.shape)
    for array in arrays:
        if (array.shape[0], array.shape[2], array.dtype) != (height, width, first.dtype):
            raise UnreadableError(f"{array.name} is of other pixels or another type than {first.name}")
        require_stored(array.size * array.dtype.itemsize, _stored_bytes(array, path))

    def fetch(window: Window) -> WindowData:
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        with hdf5_file.translate_errors("it cannot be decoded"):
            parts = [array[rows, :, cols][:, one.bands] for array, one in zip(arrays, detectors, strict=True)]
        return np.concatenate(parts, axis=1).transpose(0, 2, 1), None

    meanings = prisma.join(detectors)
    names = " and ".join(str(array.name).rsplit("/", 1)[-1] for array in arrays)
    return Cube(
        path=path,
        height=height,
        width=width,
        bands=len(meanings.good),
        dtype=str(first.dtype),
        fetch=fetch,
        meanings=meanings,
        notes=(f"the cube is {names} of a PRISMA product, scaled as its attributes say",),
        close=stack.pop_all().close,
    )


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
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""
