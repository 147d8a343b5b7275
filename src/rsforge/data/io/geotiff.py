"""Rasters read with GDAL: one local file by one named driver, no sidecar files, no virtual or network paths."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as Frame

from rsforge.data.io.band_choice import choose_bands, find_bands
from rsforge.data.io.georeference import BandMetadata, ControlPoints, Grid, Mask, OpenRaster, Raster, RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.windows import Window
from rsforge.wording import count_noun

MAX_BLOCK = 1 << 28  # a compressed strip or tile is decoded whole, however small the window
MAX_READ = 1 << 29
MAX_BANDS = 4096

# Beside NAME.tif GDAL would also open NAME.tif.aux.xml, .ovr, .msk, .tfw, ..., and those may name files anywhere.
SAFE = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_CACHEMAX": 64,
}
_MODES = {("uint8", 1): "L", ("uint8", 3): "RGB"}

logging.getLogger("rasterio").addHandler(logging.NullHandler())


@contextmanager
def open_with_gdal(
    path: Path, *, driver: Literal["GTiff", "PNG"] = "GTiff", bands: Sequence[str] = ()
) -> Iterator[OpenRaster]:
    """Open the raster in ``path``, or its ``bands`` alone (``find_bands``).

    Complex or LAB values, huge blocks and damage raise ``UnreadableError``.
    """
    local = path.resolve()
    if local.as_posix().startswith("/vsi"):
        raise UnreadableError("its path is one of GDAL's virtual ones")
    with ExitStack() as stack:
        with _translate_errors(), silence_libraries():
            stack.enter_context(rasterio.Env(**SAFE))
            dataset = stack.enter_context(rasterio.open(local, driver=driver))
            source = _GdalDataset(path, dataset)
        if bands and not source.palette:
            source.select(bands)
        raster = OpenRaster(source.info, source.read, source.read_metadata() if driver == "GTiff" else None)
        yield choose_bands(raster, bands) if source.palette else raster


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise what GDAL and rasterio raise in the block as ``UnreadableError``."""
    try:
        yield
    except UnreadableError:
        raise
    # GDAL's own errors, and those of rasterio for unexpected CRS, text and numbers.
    except Exception as error:
        reason = first_line(error if error.__cause__ is None else Exception(error.__cause__))
        raise UnreadableError(f"it cannot be decoded ({reason})") from error


class _GdalDataset:
    """An open dataset, with its bands sorted into colours or measurements, alpha and palette."""

    def __init__(self, path: Path, dataset: Any) -> None:
        self.dataset = dataset
        if not 0 < dataset.count <= MAX_BANDS:
            raise UnreadableError(f"it has {count_noun(dataset.count, 'band')}")
        kinds = dataset.colorinterp
        flags = dataset.mask_flag_enums[0]
        self.palette = dataset.colormap(1) if kinds == (ColorInterp.palette,) else None
        self.bands = [n for n, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        if not self.bands:
            self.bands = [1]
        self.masked = MaskFlags.per_dataset in flags
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        self.white = 0  # the value of white where the smallest value is white, else 0
        if structure.get("MINISWHITE") == "YES":
            self.white = 2 ** int(structure.get("NBITS", 16)) - 1
        self._check()
        dtype = dataset.dtypes[0]
        bands = 3 if self.palette else len(self.bands)
        grid, note = _read_grid(dataset)
        self.info = RasterInfo(
            path=path,
            height=dataset.height,
            width=dataset.width,
            bands=bands,
            dtype=dtype,
            nodata=dataset.nodata,
            grid=grid,
            mode=_MODES.get((dtype, bands), f"{dtype} x {bands}"),
            note=note,
            control=_read_control_points(dataset),
        )

    def select(self, wanted: Sequence[str]) -> None:
        """Keep the bands ``wanted``: others are neither read nor make a pixel valid."""
        names = [self.dataset.descriptions[n - 1] for n in self.bands]
        self.bands = [self.bands[k] for k in find_bands(self.info.path, wanted, names)]
        kind = (self.info.dtype, len(self.bands))
        mode = _MODES.get(kind, f"{kind[0]} x {kind[1]}")
        self.info = replace(self.info, bands=len(self.bands), mode=mode)

    def _check(self) -> None:
        dataset = self.dataset
        dtype = str(self.dataset.dtypes[0])
        if dtype.startswith("complex"):
            raise UnreadableError(f"its values are complex ({dtype}); take their amplitude or intensity first")
        if getattr(dataset.photometric, "value", "") in ("CIELAB", "ICCLAB", "ITULAB"):
            raise UnreadableError("its colours are LAB, not RGB")
        height, width = dataset.block_shapes[0]
        samples = dataset.count if getattr(dataset.interleaving, "value", "") == "PIXEL" else 1
        block = height * width * samples * np.dtype(dtype).itemsize
        if block > MAX_BLOCK:
            raise UnreadableError(f"one strip or tile of it has {block:,} bytes, more than {MAX_BLOCK:,}")

    def read_metadata(self) -> BandMetadata:
        dataset = self.dataset
        tags = dataset.tags()
        # GDAL reports Area for every file; beside Point it would write ground control points a pixel off.
        if tags.get("AREA_OR_POINT") != "Point" or dataset.gcps[0]:
            tags.pop("AREA_OR_POINT", None)
        return BandMetadata(
            tags=tags,
            band_tags=[dataset.tags(n) for n in self.bands],
            descriptions=[dataset.descriptions[n - 1] for n in self.bands],
            units=[dataset.units[n - 1] for n in self.bands],
            scales=[dataset.scales[n - 1] for n in self.bands],
            offsets=[dataset.offsets[n - 1] for n in self.bands],
            imagery=tuple(dataset.tags(n, ns="IMAGERY") for n in self.bands),
        )

    def read(self, window: Window) -> Raster:
        """Read a window at full resolution.

        GDAL decodes the whole strips or tiles under the window and keeps them in its cache, so that windows read in
        rows decode each block once. No output shape is given: with one GDAL would read from overviews, whose values
        are averages.
        """
        size = window.height * window.width * self.info.bands * np.dtype(self.info.dtype).itemsize
        if size > MAX_READ:
            raise UnreadableError(
                f"{window.height} x {window.width} pixels of it have {size:,} bytes; read less at once"
            )
        frame = Frame(window.col, window.row, window.width, window.height)
        with _translate_errors(), silence_libraries():
            values = np.moveaxis(self.dataset.read(self.bands, window=frame), 0, -1)
            mask = self.dataset.dataset_mask(window=frame) > 0 if self.masked else None
        valid = _find_valid(values, self.info.nodata)
        if mask is not None:
            valid &= mask
        if self.palette:
            values, valid = _apply_palette(values[..., 0], valid, self.palette)
        if self.white and np.issubdtype(values.dtype, np.unsignedinteger):
            values = self.white - values
        return Raster(np.ascontiguousarray(values), valid, self.info)


def _read_grid(dataset: Any) -> tuple[Grid | None, str]:
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


def _read_control_points(dataset: Any) -> ControlPoints | None:
    points, crs = dataset.gcps
    placed = tuple((point.row, point.col, point.x, point.y, point.z or 0.0) for point in points)
    polynomials = tuple(sorted(dataset.tags(ns="RPC").items()))
    if not placed and not polynomials:
        return None
    return ControlPoints(crs.to_wkt() if crs else "", placed, polynomials)


def _find_valid(values: npt.NDArray[Any], nodata: float | None) -> Mask:
    """Pixels ``(H, W)`` where at least one band is not nodata and every band is finite."""
    valid = np.ones(values.shape[:2], bool)
    if nodata is not None:
        with np.errstate(over="ignore"):
            valid &= (values != nodata).any(axis=-1)
    if np.issubdtype(values.dtype, np.floating):
        valid &= np.isfinite(values).all(axis=-1)
    return valid


def _apply_palette(
    indices: npt.NDArray[Any], valid: Mask, palette: dict[int, tuple[int, int, int, int]]
) -> tuple[npt.NDArray[Any], Mask]:
    table = np.zeros((max(*palette, 255) + 1, 4), np.uint8)
    table[list(palette)] = list(palette.values())
    rgba = table[indices]
    return rgba[..., :3], valid & (rgba[..., 3] > 0)
