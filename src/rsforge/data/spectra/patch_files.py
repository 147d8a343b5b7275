"""HDF5 files of paired patches: found, opened once, and refused with a reason where they cannot be used together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import h5py
import numpy as np

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F64
from rsforge.data.cubes.wavelengths import WavelengthError, wavelength_error
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.spectra.patch_metadata import (
    Spectrum,
    check_shapes,
    read_factor,
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


@dataclass(frozen=True, eq=False)  # arrays have no single answer to ==
class PatchFile:
    """A usable file: ``count`` patches of ``height`` x ``width`` pixels, ``landsat_bands`` and ``bands`` of spectra.

    ``spectrum`` holds wavelengths and widths, and the order in which bands are read. ``sensor`` and ``landsat_names``
    are those of the response functions, "" and empty where the file does not state them. ``response``
    ``(landsat_bands, bands)`` are the weights with which Landsat was simulated, None where unknown. ``stamp`` is
    size and time of the file.
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
    has_mask: bool
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
    or ``aviris``, values in another file, other shapes), or with another number of bands than the first one, RSF-D014
    for wavelengths that are none, do not rise, or are not those of the first file.
    """
    paths = find_hdf5_files(root)
    if not paths:
        fix = "name the folder that `rsforge data hsi-patches` wrote, or one with .h5, .hdf5 or .he5 files"
        raise RsforgeError("RSF-D001", f"no HDF5 files of patches in {root}", where=str(root), fix=fix)
    files = [file for path in paths if (file := open_patch_file(path, path.relative_to(root).as_posix())).count]
    if not files:
        raise RsforgeError("RSF-D004", f"the files in {root} hold no patches", where=str(root), found=paths[0].name)
    for file in files[1:]:
        _check_bands(files[0], file)
    return files


def list_patches(files: Sequence[PatchFile]) -> list[PatchRef]:
    """All patches, file by file."""
    return [PatchRef(file, row) for file in files for row in range(file.count)]


def open_patch_file(path: Path, name: str) -> PatchFile:
    """What ``path`` holds; no pixel is read. RSF-D008 and RSF-D014 as for ``find_patch_files``."""
    try:
        with hdf5_file.open_file(path) as file:
            return _describe_file(path, name, file)
    except WavelengthError as reason:
        raise wavelength_error(path, reason) from None
    except UnreadableError as reason:
        raise RsforgeError("RSF-D008", f"{path.name} cannot be used: {reason}", where=str(path)) from None


def stamp_of(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in ns, which show that a file was replaced."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _describe_file(path: Path, name: str, file: h5py.File) -> PatchFile:
    landsat = hdf5_file.check_dataset(hdf5_file.find_dataset(file, LANDSAT))
    spectra = hdf5_file.check_dataset(hdf5_file.find_dataset(file, SPECTRA))
    has_mask = VALID in file
    mask = hdf5_file.check_dataset(hdf5_file.find_dataset(file, VALID)) if has_mask else None
    check_shapes(landsat, spectra, mask)
    count, height, width, bands = spectra.shape
    sensor, landsat_names = read_sensor(file, landsat.shape[3])
    spectrum, response = read_spectrum(spectra), read_response(file, bands, landsat.shape[3])
    if response is not None and spectrum.order is not None:
        response = response[:, spectrum.order]
    unit = hdf5_file.find_attribute(file, ("units",))
    return PatchFile(
        path=path,
        name=name,
        count=count,
        height=height,
        width=width,
        landsat_bands=landsat.shape[3],
        bands=bands,
        spectrum=spectrum,
        factor=read_factor(file),
        sensor=sensor,
        landsat_names=landsat_names,
        unit=unit if isinstance(unit, str) else "",
        response=response,
        has_mask=has_mask,
        stamp=stamp_of(path),
    )


def _check_bands(first: PatchFile, file: PatchFile) -> None:
    for what, one, other in (
        ("spectra", first.bands, file.bands),
        ("Landsat", first.landsat_bands, file.landsat_bands),
    ):
        if one != other:
            raise RsforgeError(
                "RSF-D008", f"the {what} of {file.name} have {other} bands, those of {first.name} {one}",
                where=str(file.path), fix="keep files of different bands in different folders, or cut them alike",
            )  # fmt: skip
    if first.factor != file.factor:
        what = f"a Landsat pixel is {file.factor} pixels wide in {file.name}, {first.factor} in {first.name}"
        raise RsforgeError("RSF-D008", what, where=str(file.path), fix="cut all cubes with the same --factor")
    if first.wavelength_nm is None or file.wavelength_nm is None:
        return
    k = find_other_band(first.wavelength_nm, file.wavelength_nm)
    if k is not None:
        found = f"band {k + 1}: {file.wavelength_nm[k]:g} nm, {first.wavelength_nm[k]:g} nm in {first.name}"
        what = f"the wavelengths of {file.name} are those of another sensor"
        raise RsforgeError("RSF-D014", what, where=str(file.path), found=found, fix="keep sensors in folders apart")


def find_other_band(one: F64, other: F64) -> int | None:
    """The band whose wavelengths ``(B,)`` differ most, where they differ as those of two sensors do; else None."""
    apart = np.abs(one - other)
    return int(apart.argmax()) if apart.max() > MAX_SHIFT * _typical_step(one) else None


def _typical_step(wavelength_nm: F64) -> float:
    return float(np.median(np.diff(wavelength_nm))) if len(wavelength_nm) > 1 else 1.0
