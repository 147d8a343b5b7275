"""Coordinate systems and transforms of rasters, and what a raster's header says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as reproject

from rsforge.data.bands.meaning import BandMeaning
from rsforge.data.io.native_output import first_line
from rsforge.data.io.windows import Window

Mask = npt.NDArray[np.bool_]
TOLERANCE = 0.1  # of a pixel


class Footprint(NamedTuple):
    """A window in whole pixels of a ``plane``, named by coordinate system and pixel size; rows are counted southwards.

    Footprints of one plane can be compared, whichever file they come from.
    """

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

    def rescale(self, size: Fraction) -> Grid:
        """The grid of pixels ``size`` times as large, from the same upper left corner."""
        return Grid(self.crs, tuple(self.affine @ Affine.scale(float(size)))[:6])

    def centre(self, height: int, width: int) -> tuple[float, float] | None:
        """Longitude and latitude in degrees of the centre of ``height`` x ``width`` pixels; None where not on Earth."""
        if not self.crs:
            return None
        x, y = self.affine @ (width / 2, height / 2)
        try:
            (lon,), (lat,) = reproject(CRS.from_wkt(self.crs), CRS.from_epsg(4326), [x], [y])
        except Exception:  # PROJ and GDAL raise many types, for example for other planets or geostationary views
            return None
        known = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90
        return (round(lon, 6), round(lat, 6)) if known else None

    def pixel_size_m(self) -> tuple[float, float] | None:
        """Height and width of a pixel in metres; None where the coordinates are unknown or no lengths.

        They are the distances from a pixel to its neighbours below and to the right, in rotated grids as well.
        """
        metres = _metres_per_unit(self.crs)
        if metres is None:
            return None
        a, b, _, d, e, _ = self.transform
        return math.hypot(b, e) * metres, math.hypot(a, d) * metres

    def gsd_m(self) -> float | None:
        """Ground sampling distance in metres: the square root of the area of a pixel; None as ``pixel_size_m``.

        One number for both axes has to keep the area that a pixel covers: 14.14 m for a pixel of 10 x 20 m. Where both
        axes matter, ask for ``pixel_size_m``.
        """
        metres = _metres_per_unit(self.crs)
        if metres is None:
            return None
        a, b, _, d, e, _ = self.transform
        return math.sqrt(abs(a * e - b * d)) * metres

    def footprint(self, height: int, width: int) -> Footprint | None:
        """The footprint of ``height`` x ``width`` pixels, to half a pixel; None without CRS or where not north-up."""
        a, b, c, d, e, f = self.transform
        if not self.crs or b or d or a <= 0 or e >= 0:
            return None
        # Not 0.5: grids offset by half a pixel would be rounded up or down by floating-point noise.
        row, col = (math.floor(start + 0.499) for start in (f / e, c / a))
        return Footprint(f"{_crs_name(self.crs)} at {a:.6g} x {-e:.6g}", Window(row, col, height, width))

    def difference(self, other: Grid, height: int, width: int) -> str:
        """Why the grids differ, as a clause; empty when the corners agree to a tenth of a pixel."""
        if self.crs and other.crs and CRS.from_wkt(self.crs) != CRS.from_wkt(other.crs):
            return "their coordinate systems differ"
        try:
            inverse = ~self.affine
        except Exception:
            return "their transform cannot be inverted"
        corners = [(0, 0), (0, height), (width, 0), (width, height)]
        shift = max(math.dist(corner, inverse @ (other.affine @ corner)) for corner in corners)
        return f"their grids are {shift:.2f} pixels apart" if shift > TOLERANCE else ""


def _metres_per_unit(wkt: str) -> float | None:
    """The length of one unit of projected coordinates; None for angles and for unknown coordinate systems."""
    if not wkt:
        return None
    try:
        crs = CRS.from_wkt(wkt)
        metres = float(crs.linear_units_factor[1]) if crs.is_projected else math.nan
    except Exception:  # PROJ raises many types for coordinate systems that it does not know
        return None
    return metres if math.isfinite(metres) else None


@cache
def _crs_name(wkt: str) -> str:
    """The EPSG code of a coordinate system, whose WKT differs from file to file; the WKT itself where it has none."""
    try:
        code = CRS.from_wkt(wkt).to_epsg()
    except Exception:
        return wkt
    return f"EPSG:{code}" if code else wkt


@dataclass(frozen=True)
class ControlPoints:
    """Georeference other than a grid: ground control points (row, column, x, y, z) in ``crs`` (WKT, empty when unknown)
    and rational polynomial coefficients as in GDAL's metadata domain ``RPC``."""

    crs: str
    points: tuple[tuple[float, float, float, float, float], ...]
    polynomials: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RasterInfo:
    """The header of a raster: bands and dtype as ``read`` returns them; ``note`` says why there is no grid.

    ``meanings`` are those of the bands; ``spare_alpha`` says that a band called alpha is no mask, and is left aside;
    ``pictures`` is the number of pictures in the file, of which the first is read; ``left_out`` are bands of a set of
    files that lie on another grid; ``mask_beside`` says that a file beside it tells where it holds data.
    """

    path: Path
    height: int
    width: int
    bands: int
    dtype: str
    nodata: float | None
    grid: Grid | None
    mode: str
    note: str = ""
    control: ControlPoints | None = None
    meanings: tuple[BandMeaning, ...] = ()
    spare_alpha: bool = False
    pictures: int = 1
    left_out: tuple[str, ...] = ()
    mask_beside: bool = False

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.height, self.width)

    @property
    def footprint(self) -> Footprint | None:
        return self.grid.footprint(self.height, self.width) if self.grid else None


def read_grid(dataset: Any) -> tuple[Grid | None, str]:
    """The grid of a dataset, or None and a clause that says why there is none."""
    try:
        crs = dataset.crs.to_wkt() if dataset.crs else ""
    except Exception as error:
        return None, f"its coordinate system cannot be read ({first_line(error)})"
    transform = dataset.transform
    if transform.is_identity:
        points = len(dataset.gcps[0])
        if points:
            return None, f"it is placed by {points} ground control points alone"
        return None, "its coordinate system comes without a transform" if crs else ""
    if transform.is_degenerate:
        return None, "its transform has no area"
    return Grid(crs, tuple(transform)[:6]), ""


def read_control_points(dataset: Any) -> ControlPoints | None:
    """The ground control points and rational polynomials of a dataset; None where it has neither."""
    points, crs = dataset.gcps
    placed = tuple((point.row, point.col, point.x, point.y, point.z or 0.0) for point in points)
    polynomials = tuple(sorted(dataset.tags(ns="RPC").items()))
    if not placed and not polynomials:
        return None
    return ControlPoints(crs.to_wkt() if crs else "", placed, polynomials)


def find_difference(sar: RasterInfo, optical: RasterInfo) -> str:
    """Why two images do not cover the same pixels, as a clause; empty when they do."""
    if (sar.height, sar.width) != (optical.height, optical.width):
        return f"SAR has {sar.height} x {sar.width} pixels, optical {optical.height} x {optical.width}"
    if sar.grid is not None and optical.grid is not None:
        return sar.grid.difference(optical.grid, sar.height, sar.width)
    return _compare_control(sar, optical)


def _compare_control(sar: RasterInfo, optical: RasterInfo) -> str:
    """Why images of which at most one has a grid cannot be laid on each other; empty where nothing says it."""
    if sar.grid is None and optical.grid is None:
        same = sar.control == optical.control or sar.control is None or optical.control is None
        return "" if same else "their control points differ"
    placed, other = ("SAR", optical) if sar.grid is not None else ("optical", sar)
    if other.control is None:
        return ""
    name = "optical" if placed == "SAR" else "SAR"
    how = "ground control points" if other.control.points else "rational polynomials"
    return f"the {name} image is placed by {how} alone, the {placed} image by a grid"


@dataclass(frozen=True)
class Raster:
    """``values`` (H, W, C) in the file's own dtype, upright; ``valid`` (H, W) is False where there is no data."""

    values: npt.NDArray[Any]
    valid: Mask
    info: RasterInfo


@dataclass(frozen=True)
class BandMetadata:
    """Tags, names, units, scales, offsets and colours of the bands of a GeoTIFF, copied to patches cut from it.

    ``imagery`` are the tags of the bands in GDAL's domain IMAGERY, which are not copied.
    """

    tags: dict[str, str]
    band_tags: list[dict[str, str]]
    descriptions: list[str | None]
    units: list[str | None]
    scales: list[float]
    offsets: list[float]
    colours: list[str] | None = None
    imagery: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class OpenRaster:
    """An open raster; ``read(window)`` returns the pixels of a window that lies in it.

    ``pick(positions)`` is the same raster with some of its bands alone, where its format can leave the others unread.
    """

    info: RasterInfo
    read: Callable[[Window], Raster]
    metadata: BandMetadata | None = None
    pick: Callable[[Sequence[int]], OpenRaster] | None = None
