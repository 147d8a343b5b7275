"""Where pixels lie on the earth, and what is known of a raster before its pixels are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from rsforge.data.io.windows import Window

Mask = npt.NDArray[np.bool_]
TOLERANCE = 0.1  # of a pixel


class Ground(NamedTuple):
    """A window in whole pixels of ``plane``: a coordinate system and the size of a pixel, rows counted southwards."""

    plane: str
    window: Window


@dataclass(frozen=True)
class Grid:
    """A coordinate system (WKT, empty when unknown) and the transform from (column, row) to its coordinates."""

    crs: str
    transform: tuple[float, float, float, float, float, float]

    @property
    def affine(self) -> Affine:
        return Affine(*self.transform)

    def window(self, window: Window) -> Grid:
        """The grid of a window of pixels."""
        return Grid(self.crs, tuple(self.affine @ Affine.translation(window.col, window.row))[:6])

    def centre(self, height: int, width: int) -> tuple[float, float] | None:
        """Longitude and latitude of the middle of ``height`` x ``width`` pixels; None where the earth has none."""
        if not self.crs:
            return None
        x, y = self.affine @ (width / 2, height / 2)
        try:
            (lon,), (lat,) = reproject(CRS.from_wkt(self.crs), CRS.from_epsg(4326), [x], [y])
        except Exception:  # PROJ and GDAL raise what they like: other planets, views of the globe from space
            return None
        known = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90
        return (round(lon, 6), round(lat, 6)) if known else None

    def gsd_m(self) -> float | None:
        """Width of a pixel in metres; None where the coordinates are no lengths."""
        crs = CRS.from_wkt(self.crs) if self.crs else None
        if crs is None or not crs.is_projected:
            return None
        return math.hypot(self.transform[0], self.transform[3]) * float(crs.linear_units_factor[1])

    def ground(self, height: int, width: int) -> Ground | None:
        """Where ``height`` x ``width`` pixels lie, to half a pixel; None without coordinates or where not north-up."""
        a, b, c, d, e, f = self.transform
        if not self.crs or b or d or a <= 0 or e >= 0:
            return None
        # Not 0.5: on lattices of half pixels the noise of floats would part neighbours.
        row, col = (math.floor(start + 0.499) for start in (f / e, c / a))
        return Ground(f"{_named(self.crs)} at {a:.6g} x {-e:.6g}", Window(row, col, height, width))

    def differs(self, other: Grid, height: int, width: int) -> str:
        """How the other grid lies elsewhere, in half a sentence; empty when corners agree to a tenth of a pixel."""
        if self.crs and other.crs and CRS.from_wkt(self.crs) != CRS.from_wkt(other.crs):
            return "their coordinate systems differ"
        try:
            inverse = ~self.affine
        except Exception:
            return "their transform cannot be inverted"
        corners = [(0, 0), (0, height), (width, 0), (width, height)]
        shift = max(math.dist(corner, inverse @ (other.affine @ corner)) for corner in corners)
        return f"their grids are {shift:.2f} pixels apart" if shift > TOLERANCE else ""


@cache
def _named(wkt: str) -> str:
    """The code of a coordinate system, which files spell differently."""
    try:
        code = CRS.from_wkt(wkt).to_epsg()
    except Exception:
        return wkt
    return f"EPSG:{code}" if code else wkt


@dataclass(frozen=True)
class Control:
    """What places an image beside a grid: ground control points (row, column, x, y, z) of ``crs`` (WKT, empty when
    unknown), and rational polynomials as GDAL spells them in its tags ``RPC``."""

    crs: str
    points: tuple[tuple[float, float, float, float, float], ...]
    polynomials: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RasterInfo:
    """What a header says: bands and dtype as ``read`` gives them; ``note`` tells why a place is not a grid."""

    path: Path
    height: int
    width: int
    bands: int
    dtype: str
    nodata: float | None
    grid: Grid | None
    mode: str
    note: str = ""
    control: Control | None = None

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.height, self.width)

    @property
    def ground(self) -> Ground | None:
        return self.grid.ground(self.height, self.width) if self.grid else None


def apart(sar: RasterInfo, optical: RasterInfo) -> str:
    """Why two images are not of the same pixels, in half a sentence; empty when they are."""
    if (sar.height, sar.width) != (optical.height, optical.width):
        return f"SAR has {sar.height} x {sar.width} pixels, optical {optical.height} x {optical.width}"
    if sar.grid is None or optical.grid is None:
        return ""
    return sar.grid.differs(optical.grid, sar.height, sar.width)


@dataclass(frozen=True)
class Raster:
    """``values`` (H, W, C) in the file's own dtype, upright; ``valid`` (H, W) is False where there is no data."""

    values: npt.NDArray[Any]
    valid: Mask
    info: RasterInfo


@dataclass(frozen=True)
class Notes:
    """What a GeoTIFF says of its bands: names, units, scales and tags, to be handed on to what is cut from it."""

    tags: dict[str, str]
    band_tags: list[dict[str, str]]
    descriptions: list[str | None]
    units: list[str | None]
    scales: list[float]
    offsets: list[float]


@dataclass(frozen=True)
class Opened:
    """A raster held open; ``read(window)`` gives the pixels of a window inside it."""

    info: RasterInfo
    read: Callable[[Window], Raster]
    notes: Notes | None = None
