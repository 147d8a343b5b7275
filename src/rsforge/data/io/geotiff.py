"""Rasters through GDAL: one local file by one named driver, no companions, no virtual or network paths."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import MemoryFile
from rasterio.windows import Window as Frame

from rsforge.data.io.georeference import Control, Grid, Mask, Notes, Opened, Raster, RasterInfo
from rsforge.data.io.image_reader import UnreadableError, first_line, hushed
from rsforge.data.io.windows import Window

MAX_BLOCK = 1 << 28  # a compressed strip or tile is decoded whole, however small the window
MAX_READ = 1 << 29
MAX_BANDS = 4096
BLOCK = 256

# Beside NAME.tif GDAL would also open NAME.tif.aux.xml, .ovr, .msk, .tfw, ..., and those may name files anywhere.
SAFE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_CACHEMAX": 64,
}
MASKED = SAFE | {"GDAL_TIFF_INTERNAL_MASK": True}
_MODES = {("uint8", 1): "L", ("uint8", 3): "RGB"}

logging.getLogger("rasterio").addHandler(logging.NullHandler())


@contextmanager
def opened(path: Path, *, driver: Literal["GTiff", "PNG"] = "GTiff") -> Iterator[Opened]:
    """The raster in ``path``; complex or LAB values, giant blocks and damage raise ``UnreadableError``."""
    local = path.resolve()
    if local.as_posix().startswith("/vsi"):
        raise UnreadableError("its path is one of GDAL's virtual ones")
    with ExitStack() as stack:
        with _told(), hushed():
            stack.enter_context(rasterio.Env(**SAFE))
            dataset = stack.enter_context(rasterio.open(local, driver=driver))
            source = _Source(path, dataset)
        yield Opened(source.info, source.read, source.notes() if driver == "GTiff" else None)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except UnreadableError:
        raise
    # GDAL's errors, and what rasterio makes of CRS, text and numbers it did not expect.
    except Exception as error:
        reason = first_line(error if error.__cause__ is None else Exception(error.__cause__))
        raise UnreadableError(f"it cannot be decoded ({reason})") from error


class _Source:
    """An open dataset and which of its bands are colours, alpha or a palette."""

    def __init__(self, path: Path, dataset: Any) -> None:
        self.dataset = dataset
        if not 0 < dataset.count <= MAX_BANDS:
            raise UnreadableError(f"it has {dataset.count} bands")
        kinds, flags = dataset.colorinterp, dataset.mask_flag_enums[0]
        self.palette = dataset.colormap(1) if kinds == (ColorInterp.palette,) else None
        self.bands = [n for n, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha] or [1]
        self.masked = MaskFlags.per_dataset in flags
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        self.inverted = 2 ** int(structure.get("NBITS", 16)) - 1 if structure.get("MINISWHITE") == "YES" else 0
        self._check()
        dtype, bands = dataset.dtypes[0], 3 if self.palette else len(self.bands)
        grid, note = _grid(dataset)
        mode = _MODES.get((dtype, bands), f"{dtype} x {bands}")
        self.info = RasterInfo(
            path, dataset.height, dataset.width, bands, dtype, dataset.nodata, grid, mode, note, _control(dataset)
        )

    def _check(self) -> None:
        dataset, dtype = self.dataset, str(self.dataset.dtypes[0])
        if dtype.startswith("complex"):
            raise UnreadableError(f"its values are complex ({dtype}); take their amplitude or intensity first")
        if getattr(dataset.photometric, "value", "") in ("CIELAB", "ICCLAB", "ITULAB"):
            raise UnreadableError("its colours are LAB, not RGB")
        height, width = dataset.block_shapes[0]
        samples = dataset.count if getattr(dataset.interleaving, "value", "") == "PIXEL" else 1
        block = height * width * samples * np.dtype(dtype).itemsize
        if block > MAX_BLOCK:
            raise UnreadableError(f"one strip or tile of it has {block:,} bytes, more than {MAX_BLOCK:,}")

    def notes(self) -> Notes:
        d, chosen = self.dataset, [n - 1 for n in self.bands]
        tags = d.tags()
        # Area is what GDAL says of every file; beside Point it would write ground control points a pixel off.
        if tags.get("AREA_OR_POINT") != "Point" or d.gcps[0]:
            tags.pop("AREA_OR_POINT", None)
        return Notes(
            tags,
            [d.tags(n) for n in self.bands],
            *([values[n] for n in chosen] for values in (d.descriptions, d.units, d.scales, d.offsets)),
        )

    def read(self, window: Window) -> Raster:
        size = window.height * window.width * self.info.bands * np.dtype(self.info.dtype).itemsize
        if size > MAX_READ:
            raise UnreadableError(
                f"{window.height} x {window.width} pixels of it have {size:,} bytes; read less at once"
            )
        frame = Frame(window.col, window.row, window.width, window.height)
        with _told(), hushed():
            values = np.moveaxis(self.dataset.read(self.bands, window=frame), 0, -1)
            mask = self.dataset.dataset_mask(window=frame) > 0 if self.masked else None
        valid = _valid(values, self.info.nodata) if mask is None else mask & _valid(values, self.info.nodata)
        if self.palette:
            values, valid = _coloured(values[..., 0], valid, self.palette)
        if self.inverted and np.issubdtype(values.dtype, np.unsignedinteger):
            values = self.inverted - values
        return Raster(np.ascontiguousarray(values), valid, self.info)


def _grid(dataset: Any) -> tuple[Grid | None, str]:
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


def _control(dataset: Any) -> Control | None:
    points, crs = dataset.gcps
    placed = tuple((point.row, point.col, point.x, point.y, point.z or 0.0) for point in points)
    polynomials = tuple(sorted(dataset.tags(ns="RPC").items()))
    return Control(crs.to_wkt() if crs else "", placed, polynomials) if placed or polynomials else None


def _valid(values: npt.NDArray[Any], nodata: float | None) -> Mask:
    """Where some band is not nodata and every band is finite."""
    valid = np.ones(values.shape[:2], bool)
    if nodata is not None:
        with np.errstate(over="ignore"):
            valid &= (values != nodata).any(axis=-1)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=-1)
    return valid


def _coloured(
    indices: npt.NDArray[Any], valid: Mask, palette: dict[int, tuple[int, int, int, int]]
) -> tuple[npt.NDArray[Any], Mask]:
    table = np.zeros((max(*palette, 255) + 1, 4), np.uint8)
    table[list(palette)] = list(palette.values())
    rgba = table[indices]
    return rgba[..., :3], valid & (rgba[..., 3] > 0)


def encode(raster: Raster, notes: Notes | None, window: Window) -> bytes:
    """The pixels of ``window``, as a compressed, tiled GeoTIFF at its place on the earth.

    CRS, transform, nodata, dtype, band names, units and tags are those of the source; pixels without data that no
    nodata value marks are kept in an internal mask.
    """
    info, grid = raster.info, raster.info.grid and raster.info.grid.window(window)
    height, width, bands = raster.values.shape
    dtype = str(raster.values.dtype)
    kept = replace(info, height=height, width=width, bands=bands, dtype=dtype, grid=grid, control=None)
    with hushed(), rasterio.Env(**MASKED), MemoryFile() as memory:
        with memory.open(**profile(kept)) as target:
            target.write(np.moveaxis(raster.values, -1, 0))
            if info.nodata is None and not raster.valid.all():
                target.write_mask(raster.valid)
            if notes is not None:
                annotate(target, notes)
        return bytes(memory.read())


def profile(info: RasterInfo) -> dict[str, Any]:
    """What rasterio creates a GeoTIFF like ``info`` of."""
    layout = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK} if min(info.height, info.width) >= BLOCK else {}
    told: dict[str, Any] = {"driver": "GTiff", "dtype": info.dtype, "count": info.bands, "compress": "deflate"}
    if info.mode == "RGB":
        told["photometric"] = "RGB"
    if info.grid is not None:
        told |= {"crs": info.grid.crs or None, "transform": info.grid.affine}
    elif info.control is not None and info.control.points:
        points = [GroundControlPoint(*point) for point in info.control.points]
        told |= {"crs": CRS.from_wkt(info.control.crs) if info.control.crs else CRS(), "gcps": points}
    return told | {"height": info.height, "width": info.width, "nodata": info.nodata} | layout


def encode_png(values: npt.NDArray[np.uint16]) -> bytes:
    """(H, W, 1 to 4) as a PNG of 16 bits a band, which Pillow writes for grey alone."""
    height, width, bands = values.shape
    profile = {"driver": "PNG", "dtype": "uint16", "count": bands, "height": height, "width": width}
    with hushed(), rasterio.Env(**SAFE), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(np.moveaxis(values, -1, 0))
        return bytes(memory.read())


def annotate(target: Any, notes: Notes) -> None:
    """Write notes into a dataset that is open for writing; those of bands where it has as many."""
    target.update_tags(**notes.tags)
    if target.count == len(notes.band_tags):
        target.descriptions = notes.descriptions
        target.units = [unit or "" for unit in notes.units]
        target.scales, target.offsets = notes.scales, notes.offsets
        for number, tags in enumerate(notes.band_tags, 1):
            target.update_tags(number, **tags)
