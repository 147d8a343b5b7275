"""GeoTIFFs of any size, written from top to bottom: what carries the name is whole, and few rows are held."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window as Frame

from rsforge import durable
from rsforge.data.io.georeference import Mask, Notes, RasterInfo
from rsforge.data.io.geotiff import BLOCK, MASKED, annotate, profile
from rsforge.data.io.image_reader import first_line, hushed

Put = Callable[[npt.NDArray[Any], Mask], None]


@contextmanager
def filling(path: Path, info: RasterInfo, notes: Notes | None) -> Iterator[Put]:
    """A GeoTIFF like ``info`` that takes its rows ``(h, width, C)``, and which of them hold data, from top to bottom.

    It has its name when the block ends well, every row has come and can be read back, and leaves no trace otherwise.
    Few rows are held; ``OSError`` where the disk does not take them.
    """
    with durable.replacing_by_name(path) as temporary:
        try:
            with rasterio.Env(**MASKED):
                with hushed():
                    target = rasterio.open(temporary, "w", BIGTIFF="IF_SAFER", **profile(info))
                with target:
                    if info.control is not None:
                        target.update_tags(ns="RPC", **dict(info.control.polynomials))
                    if notes is not None:
                        annotate(target, notes)
                    rows = _Rows(target, info)
                    yield rows.put
                    rows.finish()
                rows.compare(temporary)
        except RasterioError as error:
            raise _system_error(temporary, error) from error


class _Rows:
    """Rows on their way into a dataset, written by whole blocks."""

    def __init__(self, target: Any, info: RasterInfo) -> None:
        self.target, self.info, self.done, self.masked = target, info, 0, False
        self.sums: list[tuple[Frame, int]] = []
        self.values = np.empty((0, info.width, info.bands), info.dtype)
        self.valid = np.empty((0, info.width), bool)

    def put(self, values: npt.NDArray[Any], valid: Mask) -> None:
        self.values, self.valid = np.concatenate([self.values, values]), np.concatenate([self.valid, valid])
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
            self._mark(self.valid[:count], frame)
            self.sums.append((frame, self._sum(self.values[:count], self.valid[:count])))
        self.values, self.valid, self.done = self.values[count:], self.valid[count:], self.done + count

    def _mark(self, valid: Mask, frame: Frame) -> None:
        if self.info.nodata is not None or (valid.all() and not self.masked):
            return
        if not self.masked:  # a new mask holds that nothing is valid
            for row in range(0, self.done, BLOCK):
                above = Frame(0, row, self.info.width, min(BLOCK, self.done - row))
                self.target.write_mask(np.ones((above.height, above.width), bool), window=above)
        self.masked = True
        self.target.write_mask(valid, window=frame)

    def _sum(self, values: npt.NDArray[Any], valid: Mask) -> int:
        total = zlib.crc32(values.tobytes())
        return total if self.info.nodata is not None else zlib.crc32(valid.tobytes(), total)

    def compare(self, file: Path) -> None:
        """Read the finished file: GDAL says nothing of what it could not write when it closed it."""
        with hushed(), rasterio.open(file, driver="GTiff") as dataset:
            for frame, total in self.sums:
                values = np.moveaxis(dataset.read(window=frame), 0, -1)
                if total != self._sum(values, dataset.dataset_mask(window=frame) > 0):
                    raise RasterioIOError(f"rows from {frame.row_off} on are not what was written")


def _system_error(file: Path, error: RasterioError) -> OSError:
    """Why the system did not take what GDAL wrote to ``file``: found out by writing more."""
    try:
        with file.open("ab") as target:
            target.write(bytes(1 << 16))
            target.flush()
            os.fsync(target.fileno())
    except OSError as reason:
        return reason
    return OSError(errno.EIO, f"it could not be written ({first_line(error)})")
