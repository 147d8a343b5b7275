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
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.transform import GCPTransformer
from rasterio.warp import reproject
from rasterio.warp import transform as reproject_points
from rasterio.windows import Window as Frame

from rsforge.data.bands.gdal_metadata import COLOUR_MEANINGS, find_meanings, find_nodata, list_factors
from rsforge.data.bands.meaning import name_mode
from rsforge.data.io.band_choice import choose_bands
from rsforge.data.io.georeference import (
    BandMetadata,
    Grid,
    Mask,
    OpenRaster,
    Raster,
    RasterInfo,
    read_control_points,
    read_grid,
)
from rsforge.data.io.image_reader import UnreadableError, is_mask
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
Driver = Literal["GTiff", "PNG", "JP2OpenJPEG"]
Alpha = Literal["auto", "mask", "band"]
_SAMPLED = 256  # pixels, the side of a window by which an alpha band is judged

logging.getLogger("rasterio").addHandler(logging.NullHandler())


@contextmanager
def open_with_gdal(
    path: Path,
    *,
    driver: Driver = "GTiff",
    bands: Sequence[str] = (),
    alpha: Alpha = "auto",
    onto: RasterInfo | None = None,
) -> Iterator[OpenRaster]:
    """Open the raster in ``path``, or its ``bands`` alone (``find_bands``).

    An alpha band is a mask, or by ``alpha`` a band that is left aside unless it is asked for; ``auto`` goes by values.
    ``onto`` is a gridded image onto whose grid it is resampled by its ground control points, bilinearly and without a
    height model; what lies outside is no data.

    Complex or LAB values, huge blocks and damage raise ``UnreadableError``.
    """
    local = path.resolve()
    if local.as_posix().startswith("/vsi"):
        raise UnreadableError("its path is one of GDAL's virtual ones")
    with ExitStack() as stack:
        with _translate_errors(), silence_libraries():
            stack.enter_context(rasterio.Env(**SAFE))
            dataset = stack.enter_context(rasterio.open(local, driver=driver))
            source = _GdalDataset(path, dataset, alpha)
        if onto is not None:
            source.warp_onto(onto)
        raster = source.open(with_metadata=driver != "PNG")
        yield choose_bands(raster, bands)


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

    def __init__(self, path: Path, dataset: Any, alpha: Alpha) -> None:
        self.dataset = dataset
        self.onto: Grid | None = None
        if not 0 < dataset.count <= MAX_BANDS:
            raise UnreadableError(f"it has {count_noun(dataset.count, 'band')}")
        kinds = dataset.colorinterp
        flags = dataset.mask_flag_enums[0]
        self.palette = dataset.colormap(1) if kinds == (ColorInterp.palette,) else None
        self.bands = [n for n, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        if not self.bands:
            self.bands = [1]
        spare = len(self.bands) < dataset.count and not self._has_mask(alpha)
        self.masked = MaskFlags.per_dataset in flags and not (spare and MaskFlags.alpha in flags)
        if spare:
            self.bands = list(range(1, dataset.count + 1))
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        self.white = 0  # the value of white where the smallest value is white, else 0
        if structure.get("MINISWHITE") == "YES":
            self.white = 2 ** int(structure.get("NBITS", 16)) - 1
        self._check()
        dtype = dataset.dtypes[0]
        bands = 3 if self.palette else len(self.bands)
        meanings = COLOUR_MEANINGS if self.palette else find_meanings(dataset, self.bands)
        grid, note = read_grid(dataset)
        self.info = RasterInfo(
            path=path,
            height=dataset.height,
            width=dataset.width,
            bands=bands,
            dtype=dtype,
            nodata=find_nodata(dataset, meanings),
            grid=grid,
            mode=name_mode(dtype, meanings),
            note=note,
            control=read_control_points(dataset),
            meanings=meanings,
            spare_alpha=spare,
            pictures=max(len(dataset.subdatasets), 1),
        )

    def open(self, *, with_metadata: bool) -> OpenRaster:
        """The raster as others see it."""

        def pick(positions: Sequence[int]) -> OpenRaster:
            """Keep some bands: others are neither read nor make a pixel valid."""
            self.bands = [self.bands[k] for k in positions]
            meanings = tuple(self.info.meanings[k] for k in positions)
            mode = name_mode(self.info.dtype, meanings)
            self.info = replace(self.info, bands=len(self.bands), mode=mode, meanings=meanings)
            return self.open(with_metadata=with_metadata)

        metadata = self.read_metadata() if with_metadata else None
        return OpenRaster(self.info, self.read, metadata, None if self.palette else pick)

    def _has_mask(self, alpha: Alpha) -> bool:
        """Whether the alpha band is a mask: as ``alpha`` says, else by its values in a few windows."""
        if alpha != "auto":
            return alpha == "mask"
        dataset = self.dataset
        number = next(n for n, kind in enumerate(dataset.colorinterp, 1) if kind == ColorInterp.alpha)
        if not np.issubdtype(np.dtype(dataset.dtypes[number - 1]), np.unsignedinteger):
            return True
        height, width = min(dataset.height, _SAMPLED), min(dataset.width, _SAMPLED)
        parts = [
            dataset.read(number, window=Frame(col, row, width, height)).ravel()
            for row in {0, (dataset.height - height) // 2, dataset.height - height}
            for col in {0, (dataset.width - width) // 2, dataset.width - width}
        ]
        return is_mask(np.concatenate(parts))

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
        factors = list_factors(dataset, self.bands, self.info.meanings)
        return BandMetadata(
            tags=tags,
            band_tags=[dataset.tags(n) for n in self.bands],
            descriptions=[dataset.descriptions[n - 1] for n in self.bands],
            units=[dataset.units[n - 1] for n in self.bands],
            scales=[one[0] for one in factors],
            offsets=[one[1] for one in factors],
            colours=self._list_colours(),
            imagery=tuple(dataset.tags(n, ns="IMAGERY") for n in self.bands),
        )

    def _list_colours(self) -> list[str] | None:
        """What the bands are called in the order of ``read``, where they are colours; None else."""
        names = [self.dataset.colorinterp[n - 1].name for n in self.bands]
        return names if {"red", "green", "blue"} <= set(names) and "alpha" not in names else None

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
        with _translate_errors(), silence_libraries():
            stored, mask = self._read_warped(window, self.onto) if self.onto else self._read_stored(window)
        values = np.moveaxis(stored, 0, -1)
        valid = _find_valid(values, self.info.nodata)
        if mask is not None:
            valid &= mask
        if self.palette:
            values, valid = _apply_palette(values[..., 0], valid, self.palette)
        if self.white and np.issubdtype(values.dtype, np.unsignedinteger):
            values = self.white - values
        return Raster(np.ascontiguousarray(values), valid, self.info)

    def _read_stored(self, window: Window) -> tuple[npt.NDArray[Any], Mask | None]:
        """The bands ``(C, H, W)``, and where the mask of the file is set, if it has one."""
        frame = Frame(window.col, window.row, window.width, window.height)
        mask = self.dataset.dataset_mask(window=frame) > 0 if self.masked else None
        return self.dataset.read(self.bands, window=frame), mask

    def warp_onto(self, onto: RasterInfo) -> None:
        """Read windows of the grid of ``onto`` from now on, resampled by the ground control points."""
        if onto.grid is None or not self.dataset.gcps[0]:
            raise UnreadableError("it has no ground control points to be resampled by")
        self.onto = onto.grid
        self.info = replace(self.info, height=onto.height, width=onto.width, grid=onto.grid, control=None, note="")

    def _read_warped(self, window: Window, onto: Grid) -> tuple[npt.NDArray[Any], Mask]:
        """The bands ``(C, H, W)`` of a window of the grid, and which of its pixels lie in the file and its mask.

        GDAL's virtual warped datasets leave control points aside where the grid of the result is given.
        """
        grid, dataset = onto.window(window), self.dataset
        place = {"dst_transform": grid.affine, "dst_crs": CRS.from_wkt(grid.crs), "SRC_METHOD": "GCP_TPS"}
        size = (window.height, window.width)
        values = np.full((len(self.bands), *size), dataset.nodata or 0, self.info.dtype)
        source = rasterio.band(dataset, self.bands)
        nodata = {"src_nodata": dataset.nodata, "dst_nodata": dataset.nodata, "init_dest_nodata": True}
        reproject(source, values, resampling=Resampling.bilinear, **place, **nodata)
        valid = self._find_inside(grid, size)
        if self.masked:
            mask = np.zeros(size, np.uint8)
            points, crs = dataset.gcps
            reproject(dataset.dataset_mask(), mask, gcps=points, src_crs=crs, resampling=Resampling.nearest, **place)
            valid &= mask > 0
        return values, valid

    def _find_inside(self, grid: Grid, size: tuple[int, int]) -> Mask:
        """Which pixels of a grid have their centres inside the file."""
        points, crs = self.dataset.gcps
        rows, cols = np.mgrid[: size[0], : size[1]] + 0.5
        x, y = grid.affine @ (cols.ravel(), rows.ravel())
        x, y = reproject_points(CRS.from_wkt(grid.crs), crs, x, y)
        with GCPTransformer(points, tps=True) as transformer:
            stored_rows, stored_cols = transformer.rowcol(x, y, op=float)
        row, col = np.array(stored_rows).reshape(size), np.array(stored_cols).reshape(size)
        inside: Mask = (row >= 0) & (row <= self.dataset.height) & (col >= 0) & (col <= self.dataset.width)
        return inside


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
