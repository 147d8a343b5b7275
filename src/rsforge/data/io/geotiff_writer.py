"""GeoTIFFs: patches encoded in memory, and files of any size written atomically, a few rows in memory at a time."""

from __future__ import annotations

import errno
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.io import MemoryFile
from rasterio.windows import Window as Frame

from rsforge import durable
from rsforge.data.io.georeference import BandMetadata, Mask, Raster, RasterInfo
from rsforge.data.io.geotiff import SAFE
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.windows import Window

BLOCK = 256
MASKED = SAFE | {"GDAL_TIFF_INTERNAL_MASK": True}

WriteRows = Callable[[npt.NDArray[Any], Mask], None]


@contextmanager
def geotiff_writer(path: Path, info: RasterInfo, metadata: BandMetadata | None) -> Iterator[WriteRows]:
    """Write a GeoTIFF like ``info``: the yielded function takes rows ``(h, width, C)`` and their mask ``(h, width)``.

    Rows come from top to bottom; fewer than ``BLOCK`` are kept in memory. The file gets its name when the block ends
    without an error, all rows were written and read back unchanged; else it is removed. ``ValueError`` for missing
    rows, ``OSError`` where the disk does not take them.
    """
    with durable.atomic_path(path) as temporary:
        try:
            with rasterio.Env(**MASKED):
                with silence_libraries():
                    target = rasterio.open(temporary, "w", BIGTIFF="IF_SAFER", **creation_options(info))
                with target:
                    if info.control is not None:
                        target.update_tags(ns="RPC", **dict(info.control.polynomials))
                    if metadata is not None:
                        write_metadata(target, metadata)
                    rows = _RowWriter(target, info)
                    yield rows.put
                    rows.finish()
                rows.verify(temporary)
        except RasterioError as error:
            raise system_error(temporary, error) from error


class _RowWriter:
    """Collects rows and writes them by whole blocks, with a checksum of each."""

    def __init__(self, target: Any, info: RasterInfo) -> None:
        self.target = target
        self.info = info
        self.done = 0
        self.masked = False
        self.checksums: list[tuple[Frame, int]] = []
        self.values = np.empty((0, info.width, info.bands), info.dtype)
        self.valid = np.empty((0, info.width), bool)

    def put(self, values: npt.NDArray[Any], valid: Mask) -> None:
        self.values = np.concatenate([self.values, values])
        self.valid = np.concatenate([self.valid, valid])
        while len(self.values) >= BLOCK:
            self._write(BLOCK)

    def finish(self) -> None:
        self._write(len(self.values))
        if self.done != self.info.height:
            raise ValueError(f"{self.done} rows came for a raster of {self.info.height}")

    def _write(self, count: int) -> None:
        durable.before_operation("write")
        frame = Frame(0, self.done, self.info.width, count)
        if count:
            self.target.write(np.moveaxis(self.values[:count], -1, 0), window=frame)
            self._write_mask(self.valid[:count], frame)
            self.checksums.append((frame, self._checksum(self.values[:count], self.valid[:count])))
        self.values = self.values[count:]
        self.valid = self.valid[count:]
        self.done += count

    def _write_mask(self, valid: Mask, frame: Frame) -> None:
        if self.info.nodata is not None:
            return
        if valid.all() and not self.masked:
            return
        if not self.masked:  # a new mask marks every row as invalid
            for row in range(0, self.done, BLOCK):
                above = Frame(0, row, self.info.width, min(BLOCK, self.done - row))
                self.target.write_mask(np.ones((above.height, above.width), bool), window=above)
        self.masked = True
        self.target.write_mask(valid, window=frame)

    def _checksum(self, values: npt.NDArray[Any], valid: Mask) -> int:
        total = zlib.crc32(values.tobytes())
        return total if self.info.nodata is not None else zlib.crc32(valid.tobytes(), total)

    def verify(self, file: Path) -> None:
        """Compare the finished file with the checksums: GDAL reports no write error when it closes a file."""
        with silence_libraries(), rasterio.open(file, driver="GTiff") as dataset:
            for frame, total in self.checksums:
                values = np.moveaxis(dataset.read(window=frame), 0, -1)
                if total != self._checksum(values, dataset.dataset_mask(window=frame) > 0):
                    raise RasterioIOError(f"rows from {frame.row_off} on are not what was written")


def system_error(file: Path, error: RasterioError) -> OSError:
    """The system error behind a failed GDAL write to ``file``, found by appending to it."""
    try:
        with file.open("ab") as target:
            target.write(bytes(1 << 16))
            target.flush()
            durable.flush(target.fileno(), file)
    except OSError as reason:
        return reason
    return OSError(errno.EIO, f"it could not be written ({first_line(error)})")


def encode_geotiff(raster: Raster, metadata: BandMetadata | None, window: Window) -> bytes:
    """The contents of a compressed, tiled GeoTIFF with the pixels of ``window``, georeferenced.

    CRS, transform, nodata, dtype, band names, units and tags are those of the source; where the source has no nodata
    value, invalid pixels are stored in an internal mask.
    """
    info = raster.info
    grid = info.grid.window(window) if info.grid else None
    height, width, bands = raster.values.shape
    dtype = str(raster.values.dtype)
    kept = replace(info, height=height, width=width, bands=bands, dtype=dtype, grid=grid, control=None)
    with silence_libraries(), rasterio.Env(**MASKED), MemoryFile() as memory:
        with memory.open(**creation_options(kept)) as target:
            target.write(np.moveaxis(raster.values, -1, 0))
            if info.nodata is None and not raster.valid.all():
                target.write_mask(raster.valid)
            if metadata is not None:
                write_metadata(target, metadata)
        return bytes(memory.read())


def creation_options(info: RasterInfo) -> dict[str, Any]:
    """The arguments with which rasterio creates a GeoTIFF like ``info``."""
    options: dict[str, Any] = {"driver": "GTiff", "dtype": info.dtype, "count": info.bands, "compress": "deflate"}
    if info.mode == "RGB":
        options["photometric"] = "RGB"
    if info.grid is not None:
        options |= {"crs": info.grid.crs or None, "transform": info.grid.affine}
    elif info.control is not None and info.control.points:
        points = [GroundControlPoint(*point) for point in info.control.points]
        options |= {"crs": CRS.from_wkt(info.control.crs) if info.control.crs else CRS(), "gcps": points}
    options |= {"height": info.height, "width": info.width, "nodata": info.nodata}
    if min(info.height, info.width) >= BLOCK:
        options |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK}
    return options


def encode_png(values: npt.NDArray[np.uint16]) -> bytes:
    """The contents of a PNG with 16 bits a band, for ``(H, W, 1 to 4)``; Pillow writes 16 bits for grey only."""
    height, width, bands = values.shape
    profile = {"driver": "PNG", "dtype": "uint16", "count": bands, "height": height, "width": width}
    with silence_libraries(), rasterio.Env(**SAFE), MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(np.moveaxis(values, -1, 0))
        return bytes(memory.read())


def write_metadata(target: Any, metadata: BandMetadata) -> None:
    """Copy ``metadata`` into a dataset open for writing; that of the bands only where it has as many bands."""
    target.update_tags(**metadata.tags)
    if target.count == len(metadata.band_tags):
        target.descriptions = metadata.descriptions
        target.units = [unit or "" for unit in metadata.units]
        target.scales, target.offsets = metadata.scales, metadata.offsets
        if metadata.colours is not None and metadata.colours != [kind.name for kind in target.colorinterp]:
            target.colorinterp = [ColorInterp[name] for name in metadata.colours]
        for number, tags in enumerate(metadata.band_tags, 1):
            target.update_tags(number, **tags)
