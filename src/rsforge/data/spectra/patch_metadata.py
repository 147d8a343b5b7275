"""What a file of patches says of itself, checked: shapes, wavelengths, and the width of a Landsat pixel."""

from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F64
from rsforge.data.cubes.hdf5 import find_named_values
from rsforge.data.cubes.wavelengths import (
    FIELDS,
    WIDTH_FIELDS,
    WavelengthError,
    are_valid_widths,
    require_valid,
    to_nanometres,
)
from rsforge.data.io.image_reader import UnreadableError

FACTOR = Fraction(15, 2)
"""The width of a Landsat pixel in pixels of the cube where a file does not state it: 30 m of 4 m."""


def check_shapes(landsat: h5py.Dataset, spectra: h5py.Dataset, mask: h5py.Dataset | None) -> None:
    """``UnreadableError`` unless both are ``(N, H, W, C)``, channels last, of the same patches and pixels."""
    for array in (landsat, spectra):
        if array.ndim != 4 or min(array.shape[1:]) < 1:
            raise UnreadableError(f"{array.name} has the shape {array.shape}, not patches x rows x columns x bands")
    same = {landsat.name: landsat.shape[:3]}
    if mask is not None:
        same[mask.name] = mask.shape
    for name, shape in same.items():
        if shape != spectra.shape[:3]:
            raise UnreadableError(f"{name} has {shape} patches, rows and columns, {spectra.name} {spectra.shape[:3]}")


def read_wavelengths(spectra: h5py.Dataset, bands: int) -> tuple[F64 | None, F64 | None, str]:
    """Wavelengths and widths in nm, and what was inferred; ``WavelengthError`` where they do not fit the bands."""
    arrays = hdf5_file.list_numeric_datasets(spectra.file)
    values, unit = find_named_values(FIELDS, spectra, arrays)
    if values is None:
        return None, None, "it has no wavelengths"
    if len(values) != bands:
        raise WavelengthError(f"there are {len(values)} for {bands} bands")
    wavelength_nm, note = to_nanometres(require_valid(values), unit)
    falls = np.flatnonzero(np.diff(wavelength_nm) < 0)
    if falls.size:
        k = int(falls[0])
        raise WavelengthError(f"they do not rise: {wavelength_nm[k + 1]:g} nm follows {wavelength_nm[k]:g} nm")
    fwhm, _ = find_named_values(WIDTH_FIELDS, spectra, arrays)
    if fwhm is None or not are_valid_widths(fwhm, bands):
        return wavelength_nm, None, note
    return wavelength_nm, fwhm * (wavelength_nm[0] / values[0]), note


def read_factor(file: h5py.File) -> Fraction:
    """The width of a Landsat pixel in pixels of the cube, exact where the file states a fraction."""
    stated = hdf5_file.find_attribute(file, ("factor",))
    if stated is None:
        stated = hdf5_file.find_attribute(file, ("downsampling_factor",))
    if stated is None:
        return FACTOR
    try:
        factor = Fraction(str(stated)).limit_denominator(1000)
    except (ValueError, ZeroDivisionError):
        factor = Fraction(0)
    if factor < 1:
        raise UnreadableError(f"a Landsat pixel is stated to be {stated} pixels wide")
    return factor
