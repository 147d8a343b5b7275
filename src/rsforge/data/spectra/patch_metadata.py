"""What a file of patches says of itself, checked: shapes, wavelengths, and the width of a Landsat pixel."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from rsforge.data.cube_headers.wavelengths import (
    FIELDS,
    WIDTH_FIELDS,
    WavelengthError,
    are_valid_widths,
    require_order,
    require_valid,
    to_nanometres,
)
from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F64, Mask
from rsforge.data.cubes.hdf5 import find_named_values
from rsforge.data.cubes.patches import NATIVE, NATIVE_VALID, RESPONSE
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.io.image_reader import UnreadableError

FACTOR = Fraction(15, 2)
"""The width of a Landsat pixel in pixels of the cube where a file does not state it: 30 m of 4 m."""


class Spectrum(NamedTuple):
    """Rising wavelengths and widths ``(B,)`` in nm, None where unknown, and what was inferred.

    ``order (B,)`` are the stored bands by rising wavelength, None where they are stored so.
    """

    wavelength_nm: F64 | None
    fwhm_nm: F64 | None
    order: npt.NDArray[np.int64] | None
    notes: tuple[str, ...]


def check_shapes(landsat: h5py.Dataset, spectra: h5py.Dataset | None, mask: h5py.Dataset | None) -> None:
    """``UnreadableError`` unless both are ``(N, H, W, C)``, channels last, of the same patches and pixels."""
    spectra = landsat if spectra is None else spectra
    for array in (landsat, spectra):
        if array.ndim != 4 or min(array.shape[1:]) < 1:
            raise UnreadableError(f"{array.name} has the shape {array.shape}, not patches x rows x columns x bands")
    same = {landsat.name: landsat.shape[:3]}
    if mask is not None:
        same[mask.name] = mask.shape
    for name, shape in same.items():
        if shape != spectra.shape[:3]:
            raise UnreadableError(f"{name} has {shape} patches, rows and columns, {spectra.name} {spectra.shape[:3]}")


def has_native(file: h5py.File, landsat: h5py.Dataset, factor: Fraction) -> bool:
    """Whether the file holds Landsat at its own pixels, of which each patch has as many as are whole in it.

    ``UnreadableError`` for other patches, pixels or bands than ``landsat`` has, and for values of another file.
    """
    if NATIVE not in file:
        return False
    count, height, width, bands = landsat.shape
    size = count, coarse_count(height, factor), coarse_count(width, factor)
    expected = {NATIVE: (*size, bands)} | ({NATIVE_VALID: size} if NATIVE_VALID in file else {})
    for name, shape in expected.items():
        array = hdf5_file.check_dataset(hdf5_file.find_dataset(file, name))
        if array.shape != shape:
            raise UnreadableError(f"{array.name} has the shape {array.shape}, {shape} is that of a pixel {factor} wide")
    return True


def read_spectrum(spectra: h5py.Dataset) -> Spectrum:
    """The wavelengths of the bands; ``WavelengthError`` where they do not fit the bands, or are in no order.

    Bands of overlapping detectors are sorted, see :func:`require_order`.
    """
    arrays = hdf5_file.list_numeric_datasets(spectra.file)
    bands = spectra.shape[3]
    values, unit = find_named_values(FIELDS, spectra, arrays)
    if values is None:
        return Spectrum(None, None, None, ("it has no wavelengths",))
    if len(values) != bands:
        raise WavelengthError(f"there are {len(values)} for {bands} bands")
    wavelength_nm, note = to_nanometres(require_valid(values), unit)
    notes = [note] if note else []
    order = require_order(wavelength_nm)
    if order is not None:
        detectors = 1 + int((np.diff(wavelength_nm) < 0).sum())
        notes.append(f"the bands of {detectors} overlapping detectors are sorted by wavelength")
    fwhm, _ = find_named_values(WIDTH_FIELDS, spectra, arrays)
    fwhm_nm = None
    if fwhm is not None and are_valid_widths(fwhm, bands):
        fwhm_nm = fwhm * (wavelength_nm[0] / values[0])
    if order is not None:
        wavelength_nm = wavelength_nm[order]
        fwhm_nm = None if fwhm_nm is None else fwhm_nm[order]
    return Spectrum(wavelength_nm, fwhm_nm, order, tuple(notes))


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


def read_response(file: h5py.File, bands: int, landsat_bands: int) -> F64 | None:
    """The weights ``(landsat_bands, bands)`` with which Landsat was simulated, by stored band; None where not stated.

    ``UnreadableError`` where they do not fit.
    """
    stated = hdf5_file.find_attribute(file, (RESPONSE,))
    if stated is None:
        return None
    if isinstance(stated, np.ndarray) and stated.shape == (landsat_bands, bands) and stated.dtype.kind == "f":
        weights: F64 = stated.astype(float)
        if np.isfinite(weights).all():
            return weights
    raise UnreadableError(f"{RESPONSE} are not {landsat_bands} x {bands} finite weights")


def read_good_bands(spectra: h5py.Dataset) -> Mask | None:
    """Which bands of the cube the spectra have, of all bands of the cube; None where not stated."""
    stated, _ = find_named_values(("good_band_mask",), spectra, hdf5_file.list_numeric_datasets(spectra.file))
    if stated is None:
        return None
    mask: Mask = stated != 0
    return mask


def read_sensor(file: h5py.File, bands: int) -> tuple[str, tuple[str, ...]]:
    """The name of the sensor that was simulated, and of its ``bands`` bands; "" and () where they are not stated."""
    sensor = hdf5_file.find_attribute(file, ("sensor",))
    stated = hdf5_file.find_attribute(file, ("landsat_bands",))
    names = tuple(str(name) for name in stated) if isinstance(stated, np.ndarray) and stated.ndim == 1 else ()
    return sensor if isinstance(sensor, str) else "", names if len(names) == bands else ()
