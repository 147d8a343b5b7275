"""HDF5 files of paired patches: found, opened once, and refused with a reason where they cannot be used together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from rsforge.data.cube_headers.wavelengths import WavelengthError, wavelength_error
from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F64, Mask
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.spectra.patch_metadata import (
    Spectrum,
    check_shapes,
    has_native,
    read_factor,
    read_good_bands,
    read_response,
    read_sensor,
    read_spectrum,
)
from rsforge.data.splits.single_items import find_hdf5_files
from rsforge.errors import RsforgeError

LANDSAT = "landsat"
SPECTRA = "aviris"
VALID = "valid"
MAX_SHIFT = 0.5
"""Wavelengths of two files may differ by this share of the distance of bands, as calibrations of one sensor do."""
NO_SPECTRUM = Spectrum(None, None, None, ())
WEIGHT_ERROR = 1e-4
"""Weights of one response for the same wavelengths may differ by so much."""


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class PatchFile:
    """A usable file: ``count`` patches of ``height`` x ``width`` pixels, ``landsat_bands`` and ``bands`` of spectra.

    ``spectrum`` holds wavelengths and widths, and the order in which bands are read. ``sensor`` and ``landsat_names``
    are those of the response functions, "" and empty where the file does not state them. ``response``
    ``(landsat_bands, bands)`` are the weights with which Landsat was simulated, ``good_bands`` which bands of the cube
    were kept, each None where unknown. ``has_native`` tells whether Landsat is there at its own pixels too. ``stamp``
    is size and time of the file. ``bands`` is 0 in a file of Landsat alone.
    """

    path: Path
    name: str
    count: int
    height: int
    width: int
    landsat_bands: int
    bands: int
    spectrum: Spectrum
    factor: Fraction
    sensor: str
    landsat_names: tuple[str, ...]
    unit: str
    response: F64 | None
    good_bands: Mask | None
    has_mask: bool
    has_native: bool
    stamp: tuple[int, int]

    @property
    def wavelength_nm(self) -> F64 | None:
        """Rising wavelengths ``(B,)``, None where the file has none."""
        return self.spectrum.wavelength_nm


@dataclass(frozen=True)
class PatchRef:
    """A patch: its file, and its row in it. The name is the one that splits know."""

    file: PatchFile
    row: int

    @property
    def name(self) -> str:
        return f"{self.file.name}#{self.row}"


def find_patch_files(root: Path) -> list[PatchFile]:
    """The files of patches below the folder ``root`` at any depth, sorted; files without patches are left out.

    RSF-D001 for no file, RSF-D004 for no patch, RSF-D008 for a file that cannot be used (damaged, without ``landsat``
    or ``aviris``, values in another file, other shapes), RSF-D014 for wavelengths that are none or do not rise, and the
    errors of :func:`require_same_kind`.
    """
    paths = find_hdf5_files(root)
    if not paths:
        fix = "name the folder that `rsforge data hsi-patches` wrote, or one with .h5, .hdf5 or .he5 files"
        raise RsforgeError("RSF-D001", f"no HDF5 files of patches in {root}", where=str(root), fix=fix)
    files = [file for path in paths if (file := open_patch_file(path, path.relative_to(root).as_posix())).count]
    if not files:
        fix = "cut patches by `rsforge data hsi-patches`"
        what = f"the files in {root} hold no patches"
        raise RsforgeError("RSF-D004", what, where=str(root), found=paths[0].name, fix=fix)
    require_same_kind(files)
    return files


def list_patches(files: Sequence[PatchFile]) -> list[PatchRef]:
    """All patches, file by file."""
    return [PatchRef(file, row) for file in files for row in range(file.count)]


def open_patch_file(path: Path, name: str, *, landsat_alone: bool = False) -> PatchFile:
    """What ``path`` holds; no pixel is read. RSF-D008 and RSF-D014 as for ``find_patch_files``.

    With ``landsat_alone`` spectra may be missing; what is stated of those that are there must hold.
    """
    try:
        with hdf5_file.open_file(path) as file:
            return _describe_file(path, name, file, landsat_alone=landsat_alone)
    except WavelengthError as reason:
        error = wavelength_error(path, reason)
        error.fix = "cut the patches by `rsforge data hsi-patches --wavelengths FILE`"
        raise error from None
    except UnreadableError as reason:
        raise hdf5_file.unreadable_patches(path, reason) from None


def stamp_of(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns, which show that a file was replaced."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _describe_file(path: Path, name: str, file: h5py.File, *, landsat_alone: bool) -> PatchFile:
    landsat, spectra = hdf5_file.check_dataset(hdf5_file.find_dataset(file, LANDSAT)), None
    if SPECTRA in file or not landsat_alone:
        spectra = hdf5_file.check_dataset(hdf5_file.find_dataset(file, SPECTRA))
    has_mask = VALID in file
    mask = hdf5_file.check_dataset(hdf5_file.find_dataset(file, VALID)) if has_mask else None
    check_shapes(landsat, spectra, mask)
    count, height, width, landsat_bands = landsat.shape
    sensor, landsat_names = read_sensor(file, landsat_bands)
    factor, spectrum, response, good_bands = read_factor(file), NO_SPECTRUM, None, None
    if spectra is not None:
        spectrum, response = read_spectrum(spectra), read_response(file, spectra.shape[3], landsat_bands)
        good_bands = read_good_bands(spectra)
    if response is not None and spectrum.order is not None:
        response = response[:, spectrum.order]
    unit = hdf5_file.find_attribute(file, ("units",))
    return PatchFile(
        path=path,
        name=name,
        count=count,
        height=height,
        width=width,
        landsat_bands=landsat_bands,
        bands=0 if spectra is None else spectra.shape[3],
        spectrum=spectrum,
        factor=factor,
        sensor=sensor,
        landsat_names=landsat_names,
        unit=unit if isinstance(unit, str) else "",
        response=response,
        good_bands=good_bands,
        has_mask=has_mask,
        has_native=has_native(file, landsat, factor),
        stamp=stamp_of(path),
    )


def find_other_band(one: F64, other: F64) -> int | None:
    """The band whose wavelengths ``(B,)`` differ most, where they differ as those of two sensors do; else None."""
    apart = np.abs(one - other)
    return int(apart.argmax()) if apart.max() > MAX_SHIFT * _typical_step(one) else None


def describe_other_response(one: F64, other: F64, one_nm: F64 | None, other_nm: F64 | None) -> str:
    """How the responses ``(K, B)`` of spectra at these wavelengths ``(B,)`` differ, "" where they do not.

    Weights are compared for the same wavelengths; for others, which weights follow, the centres of the Landsat bands.
    """
    allowed, what = WEIGHT_ERROR, "between two weights"
    if one_nm is not None and other_nm is not None and not np.array_equal(one_nm, other_nm):
        one, other = (one @ one_nm)[:, None], (other @ other_nm)[:, None]
        allowed, what = MAX_SHIFT * max(_typical_step(one_nm), _typical_step(other_nm)), "nm between the centres"
    apart = np.abs(one - other).max(axis=1)
    k = int(apart.argmax())
    return f"Landsat band {k + 1}: {apart[k]:.3g} {what}" if apart[k] > allowed else ""


def _typical_step(wavelength_nm: F64) -> float:
    return float(np.median(np.diff(wavelength_nm))) if len(wavelength_nm) > 1 else 1.0


class _Quantity(NamedTuple):
    """What files of one folder have in common, and what to do where they have not.

    ``differ`` says what two files state of it where that is not the same, "" where it is.
    """

    name: str
    differ: Callable[[PatchFile, PatchFile], str]
    fix: str = "keep files of different bands in different folders, or cut all cubes alike"
    code: str = "RSF-D008"


def require_same_kind(files: Sequence[PatchFile]) -> None:
    """The error of the first quantity in which a file differs from the first one; ``files`` are one data set.

    RSF-D008 for another number of bands, factor, sensor, response or choice of bands, RSF-D010 for another unit,
    RSF-D014 for other wavelengths.
    """
    for quantity in _QUANTITIES:
        for file in files[1:]:
            if found := quantity.differ(files[0], file):
                what = f"{file.name} and {files[0].name} do not belong together: {quantity.name} differs"
                raise RsforgeError(quantity.code, what, where=str(file.path), found=found, fix=quantity.fix)


def _by_value(read: Callable[[PatchFile], object]) -> Callable[[PatchFile, PatchFile], str]:
    """A comparison of what ``read`` takes from a file; a value that only one of two files states is a difference."""

    def differ(first: PatchFile, file: PatchFile) -> str:
        one, other = read(first), read(file)
        return "" if one == other else f"{_spell(other)} in {file.name}, {_spell(one)} in {first.name}"

    return differ


def _spell(value: object) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    return str(value) or "not stated"


def _differ_in_wavelengths(first: PatchFile, file: PatchFile) -> str:
    one, other = first.wavelength_nm, file.wavelength_nm
    if one is None or other is None:
        stating, silent = (first, file) if other is None else (file, first)
        return "" if one is other else f"{stating.name} states wavelengths, {silent.name} none"
    k = find_other_band(one, other)
    return "" if k is None else f"band {k + 1}: {other[k]:g} nm in {file.name}, {one[k]:g} nm in {first.name}"


def _differ_in_good_bands(first: PatchFile, file: PatchFile) -> str:
    """Only masks over as many bands of a cube can be compared; those of other cubes are told by their wavelengths."""
    one, other = first.good_bands, file.good_bands
    if one is None or other is None or len(one) != len(other) or not (one != other).any():
        return ""
    k = int(np.flatnonzero(one != other)[0])
    keeping, dropping = (first, file) if one[k] else (file, first)
    return f"band {k + 1} of the cube is kept in {keeping.name} and left out in {dropping.name}"


def _differ_in_response(first: PatchFile, file: PatchFile) -> str:
    if first.response is None or file.response is None:
        return ""
    return describe_other_response(first.response, file.response, first.wavelength_nm, file.wavelength_nm)


_QUANTITIES = (
    _Quantity("the number of bands of the spectra", _by_value(lambda file: file.bands)),
    _Quantity("the number of Landsat bands", _by_value(lambda file: file.landsat_bands)),
    _Quantity(
        "the width of a Landsat pixel in pixels", _by_value(lambda file: file.factor), "cut all cubes with one --factor"
    ),
    _Quantity("the simulated sensor", _by_value(lambda file: file.sensor), "cut all cubes with one --sensor"),
    _Quantity("the list of Landsat bands", _by_value(lambda file: file.landsat_names), "name one --bands"),
    _Quantity("the unit", _by_value(lambda file: file.unit), "keep units in folders apart", "RSF-D010"),
    _Quantity("the wavelengths", _differ_in_wavelengths, "keep sensors in folders apart", "RSF-D014"),
    _Quantity("the choice of bands", _differ_in_good_bands, "cut all cubes with one --drop-nm and list of bad bands"),
    _Quantity("the response of the sensor", _differ_in_response, "cut all cubes with one table of responses"),
)
