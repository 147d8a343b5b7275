"""Pictures of spectra in three colours, and where their curves have gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import F32, F64, Mask
from rsforge.data.cubes.spectral_response import widest_step

Pixels = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
RGB_NM = (650.0, 550.0, 470.0)
RGB_NAMES = ("red", "green", "blue")
OLI_RGB = (3, 2, 1)  # of the seven bands of Landsat 8 and 9, coastal first
SHOWN = (2.0, 98.0)  # percentiles that become black and white


def choose_rgb_bands(wavelength_nm: F64 | None, bands: int) -> tuple[int, int, int]:
    """The bands nearest to red, green and blue; without wavelengths three that are spread evenly."""
    if wavelength_nm is None:
        return (3 * bands) // 4, bands // 2, bands // 4
    red, green, blue = (int(np.abs(wavelength_nm - nm).argmin()) for nm in RGB_NM)
    return red, green, blue


def choose_landsat_bands(names: Sequence[str], bands: int) -> tuple[int, int, int]:
    """The bands that are named red, green and blue; those of Landsat 8 where seven have no names, else the first."""
    known = [name.strip().lower() for name in names]
    if set(RGB_NAMES) <= set(known):
        red, green, blue = (known.index(name) for name in RGB_NAMES)
        return red, green, blue
    return OLI_RGB if bands == 7 else (min(2, bands - 1), min(1, bands - 1), 0)


def find_stretch(image: F32, valid: Mask) -> F64:
    """Values ``(2, C)`` of ``image (C, H, W)`` that become black and white: percentiles of each band."""
    if not valid.any():
        return np.array([[0.0], [1.0]]) * np.ones(len(image))
    stretch: F64 = np.percentile(image[:, valid].astype(float), SHOWN, axis=1)
    return stretch


def draw_composite(image: F32, valid: Mask, stretch: F64) -> Pixels:
    """Three bands ``(3, H, W)`` as 8-bit ``(H, W, 3)``, black where not valid."""
    low, high = stretch[:, :, None, None]
    unit = (np.where(valid, image, 0) - low) / np.maximum(high - low, 1e-12)
    return (np.where(valid, np.clip(unit, 0, 1), 0) * 255).round().astype(np.uint8).transpose(1, 2, 0)


def find_runs(wavelength_nm: F64 | None, bands: int, order: Indices | None = None) -> list[Indices]:
    """The bands without a gap between them, run by run; a gap is a step of more than three typical ones.

    ``order`` are the stored bands by rising wavelength, as in ``Spectrum``: bands of overlapping detectors, which lie
    between one another and differ in calibration, are runs of their own.
    """
    if wavelength_nm is None or bands < 3:
        return [np.arange(bands)]
    widest = widest_step(wavelength_nm)
    every = [np.arange(bands)] if order is None else _part_by_detector(wavelength_nm, order)
    return [run for part in every for run in np.split(part, np.flatnonzero(np.diff(wavelength_nm[part]) > widest) + 1)]


def _part_by_detector(wavelength_nm: F64, order: Indices) -> list[Indices]:
    """A detector begins where the wavelengths, as they are stored, fall."""
    place = np.argsort(order)
    return np.split(place, np.flatnonzero(np.diff(wavelength_nm[place]) < 0) + 1)
