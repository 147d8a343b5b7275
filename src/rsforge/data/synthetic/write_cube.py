"""Synthetic imaging-spectrometer cubes: linear mixtures of the spectra of materials, as ENVI files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from rsforge import durable
from rsforge.data.synthetic.noise_textures import Array, PaintedScene, pool_samples
from rsforge.data.synthetic.spectra import endmembers
from rsforge.data.synthetic.world import draw_strips
from rsforge.seeds import derive

# AVIRIS-NG: 425 bands from 376.44 to 2500.12 nm, pixels of 4 m.
WAVELENGTH_NM = (376.44 + 5.00868 * np.arange(425)).astype(np.float32)
GSD_M = 4
NODATA = -9999.0
_WATER_VAPOUR_NM = ((1350, 1470), (1780, 1980), (2450, 2600))
_NOISE = 0.002
_NOISE_IN_VAPOUR = 0.03
_VISIBLE_NM = (640, 550, 470)
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def usable_bands() -> npt.NDArray[np.bool_]:
    """Which bands lie outside the absorption bands of water vapour."""
    clear = np.ones(WAVELENGTH_NM.shape, bool)
    for low, high in _WATER_VAPOUR_NM:
        clear &= np.abs(WAVELENGTH_NM - (low + high) / 2) > (high - low) / 2
    return clear


def list_files(count: int) -> list[str]:
    """The files that ``write`` writes: data and header of each cube."""
    return [f"cube_{k:03d}{suffix}" for k in range(count) for suffix in (".img", ".hdr")]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` cubes of ``size`` x ``size`` pixels, float32, band-interleaved by line; yields 1 after each.

    Reflectance in [0, 1]; pixels outside the slanted edge of the flight line are -9999.
    """
    for k in range(count):
        with durable.open_atomic(root / f"cube_{k:03d}.img") as file:
            _write_lines(file, seed, k, size)
        durable.write_text(root / f"cube_{k:03d}.hdr", _make_header(k, size))
        yield 1


def _write_lines(file: BinaryIO, seed: int, number: int, size: int) -> None:
    rng = np.random.default_rng(derive(seed, "cube", number))
    spectra = endmembers(WAVELENGTH_NM)
    noise = np.where(usable_bands(), _NOISE, _NOISE_IN_VAPOUR).astype(np.float32)[:, None]
    row = 0
    for scene in draw_strips(seed, number, size):
        shares = pool_samples(scene.shares)
        light = illumination(scene)
        for line in range(shares.shape[1]):
            mixed = np.einsum("mb,mx->bx", spectra, shares[:, line]) * light[line]
            mixed += noise * rng.standard_normal(mixed.shape, np.float32)
            values = np.clip(mixed, 0, 1)
            values[:, : max(size // 16 - row // 8, 0)] = NODATA
            file.write(values.astype("<f4").tobytes())
            row += 1


def illumination(scene: PaintedScene) -> Array:
    """The brightness of each pixel ``(rows, size)`` of the image relative to its mixture, square-rooted to halve the
    contrast of light and shade."""
    mixture = np.einsum("mb,mij->bij", endmembers(np.array(_VISIBLE_NM, np.float32)), scene.shares)
    painted = np.einsum("b,bij->ij", _LUMA, scene.rgb / 4)
    expected = np.einsum("b,bij->ij", _LUMA, mixture)
    light: Array = np.sqrt(np.clip(painted / np.maximum(expected, np.float32(1e-4)), 0.5, 2))
    return pool_samples(light)


def _make_header(number: int, size: int) -> str:
    def row(values: npt.NDArray[Any], form: str) -> str:
        return "{" + ", ".join(format(value, form) for value in values.tolist()) + "}"

    east = 600_000 + number * size * GSD_M
    north = 5_200_000
    return f"""ENVI
description = {{synthetic reflectance, drawn}}
samples = {size}
lines = {size}
bands = {len(WAVELENGTH_NM)}
header offset = 0
file type = ENVI Standard
data type = 4
interleave = bil
byte order = 0
data ignore value = {NODATA:g}
map info = {{UTM, 1, 1, {east}, {north}, {GSD_M}, {GSD_M}, 32, North, WGS-84, units=Meters}}
wavelength units = Nanometers
wavelength = {row(WAVELENGTH_NM, ".2f")}
fwhm = {row(np.full_like(WAVELENGTH_NM, 5.5), ".2f")}
bbl = {row(usable_bands(), "d")}
"""
