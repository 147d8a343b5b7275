"""Small sound images whose meaning stands in their metadata, and unsound ones that look sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from scipy import ndimage

from tests.worlds.rasters import NORTH_UP, UTM, write

SIDE = 24


def grain(seed: int, side: int = SIDE, low: float = 20, high: float = 220) -> np.ndarray:
    """A smooth random field (side, side) of values between ``low`` and ``high``."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(side, side)), 1.5)
    spread = (field - field.min()) / np.ptp(field)
    return low + spread * (high - low)


def colours(seed: int, side: int = SIDE) -> np.ndarray:
    """Colours (side, side, 3) whose red is brighter than their green, and that than their blue."""
    bands = [grain(3 * seed + k, side, low, low + 50) for k, low in enumerate((180, 110, 30))]
    return np.stack(bands, -1).astype(np.uint8)


def decibels(seed: int, side: int = SIDE) -> np.ndarray:
    return grain(500 + seed, side, -22, -6).astype(np.float32)[..., None]


def geotiff(path: Path, values: np.ndarray, *, names=(), interp=(), scale=None, tags=None, **profile) -> Path:
    """A GeoTIFF of (H, W, C) with names, colour interpretation, (scale, offset) and tags of its bands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, values, **profile)
    with rasterio.open(path, "r+") as target:
        if interp:
            target.colorinterp = interp
        if names:
            target.descriptions = names
        if scale:
            target.scales, target.offsets = ([one] * values.shape[2] for one in scale)
        for number, own in enumerate(tags or (), 1):
            target.update_tags(number, **own)
    return path


def tag_file(path: Path, **tags: str) -> None:
    with rasterio.open(path, "r+") as target:
        target.update_tags(**tags)


def write_pair(root: Path, name: str, sar: np.ndarray, optical: np.ndarray, sar_names=(), **optical_options) -> None:
    geotiff(root / "s1" / f"{name}.tif", sar, names=sar_names)
    geotiff(root / "s2" / f"{name}.tif", optical, **optical_options)


def picture(path: Path, values: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)
    return path


def write_upside_down(root: Path, side: int = 64, shift: int = 0) -> np.ndarray:
    """A gridded optical scene, and its mirrored mean in the geometry of a radar; the mean ``(side, side)``.

    The SAR image shows the ground ``shift`` columns further west.
    """
    optical = np.stack([grain(k, side) for k in range(3)], -1).astype(np.uint8)
    write(root / "optical.tif", optical)
    mean = optical.mean(-1)
    points = []
    for row in (0, side // 2, side):
        for col in (0, side // 2, side):
            x, y = NORTH_UP @ (side - col - shift, side - row)
            points.append(GroundControlPoint(row, col, x, y, 0))
    sar = (mean[::-1, ::-1, None] * 4).astype(np.uint16)
    write(root / "sar.tif", sar, crs=CRS.from_string(UTM), transform=None, gcps=points)
    return mean
