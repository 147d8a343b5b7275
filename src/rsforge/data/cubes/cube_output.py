"""Cubes written window by window: what their headers say, and the GeoTIFF."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError, RasterioIOError
from rasterio.windows import Window as Frame

from rsforge import durable
from rsforge.data.cubes.cube import F32, F64
from rsforge.data.io.georeference import Grid
from rsforge.data.io.geotiff import SAFE
from rsforge.data.io.geotiff_writer import system_error
from rsforge.data.io.native_output import silence_libraries
from rsforge.data.io.windows import Window

NODATA = -9999.0
LARGEST_BLOCK, STEP = 512, 16

WriteWindow = Callable[[Window, F32], None]


@dataclass(frozen=True)
class CubeHeader:
    """A cube of float32 values in ``unit``, ``NODATA`` where there are none; ``tags`` say how it was made.

    ``wavelength_nm`` and ``fwhm_nm`` are ``(bands,)``, None where unknown. Windows should be written in squares of
    ``block`` pixels, the last ones cut off at the edges.
    """

    height: int
    width: int
    bands: int
    grid: Grid | None = None
    wavelength_nm: F64 | None = None
    fwhm_nm: F64 | None = None
    unit: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    block: int = 256

    def names(self) -> list[str]:
        """What each band is called: its wavelength, else its number."""
        if self.wavelength_nm is None:
            return [f"band {k}" for k in range(1, self.bands + 1)]
        return [f"{nm:g} Nanometers" for nm in self.wavelength_nm]


@contextmanager
def geotiff_cube_writer(path: Path, header: CubeHeader) -> Iterator[WriteWindow]:
    """Write a tiled GeoTIFF: the yielded function takes a window and its values ``(bands, h, w)``, not finite in gaps.

    Each band states its wavelength and width twice: in micrometres in the items of GDAL's domain ``IMAGERY`` (GDAL
    3.10), and in nanometres in those that GDAL, EnMAP-Box and ``open_geotiff`` read. The file gets its name when the
    block ends and everything was read back unchanged; else it is removed. ``OSError`` where the disk does not take it.
    """
    with durable.atomic_path(path) as temporary:
        try:
            with rasterio.Env(**SAFE):
                with silence_libraries():
                    target = rasterio.open(temporary, "w", **_creation_options(header))
                with target:
                    _describe_bands(target, header)
                    windows = _WindowWriter(target)
                    yield windows.put
                windows.verify(temporary)
        except RasterioError as error:
            raise system_error(temporary, error) from error


def _creation_options(header: CubeHeader) -> dict[str, Any]:
    options: dict[str, Any] = {
        "driver": "GTiff", "dtype": "float32", "count": header.bands, "height": header.height, "width": header.width,
        "nodata": NODATA, "compress": "deflate", "predictor": 3, "interleave": "band", "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    if header.grid is not None:
        options |= {"crs": header.grid.crs or None, "transform": header.grid.affine}
    block = choose_block(header.block)
    if min(header.height, header.width) >= block:
        options |= {"tiled": True, "blockxsize": block, "blockysize": block}
    return options


def choose_block(size: int) -> int:
    """The side of the tiles of a GeoTIFF, of which windows of ``size`` pixels hold whole ones where any do."""
    sides = [side for side in range(STEP, LARGEST_BLOCK + 1, STEP) if size % side == 0]
    return max(sides, default=256)


def _describe_bands(target: Any, header: CubeHeader) -> None:
    target.update_tags(**header.tags)
    target.descriptions = header.names()
    target.units = [header.unit] * header.bands
    if header.wavelength_nm is None:
        return
    for k, nm in enumerate(header.wavelength_nm):
        items = {"wavelength": f"{nm:.10g}", "wavelength_units": "Nanometers"}
        imagery = {"CENTRAL_WAVELENGTH_UM": f"{nm / 1000:.10g}"}
        if header.fwhm_nm is not None:
            items["fwhm"] = f"{header.fwhm_nm[k]:.10g}"
            imagery["FWHM_UM"] = f"{header.fwhm_nm[k] / 1000:.10g}"
        target.update_tags(k + 1, **items)
        target.update_tags(k + 1, ns="IMAGERY", **imagery)


class _WindowWriter:
    """Writes windows, with a checksum of each: GDAL reports no write error when it closes a file."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.checksums: list[tuple[Frame, int]] = []

    def put(self, window: Window, values: F32) -> None:
        durable.before_operation("write")
        stored = fill_gaps(values)
        frame = Frame(window.col, window.row, window.width, window.height)
        self.target.write(stored, window=frame)
        self.checksums.append((frame, zlib.crc32(stored.tobytes())))

    def verify(self, file: Path) -> None:
        with silence_libraries(), rasterio.open(file, driver="GTiff") as dataset:
            for frame, total in self.checksums:
                if zlib.crc32(dataset.read(window=frame).tobytes()) != total:
                    raise RasterioIOError(f"the pixels from row {frame.row_off} on are not what was written")


def fill_gaps(values: F32) -> F32:
    """``values (bands, h, w)``, contiguous, ``NODATA`` in all bands of pixels that are not finite in one."""
    stored = np.array(values, np.float32, order="C")
    stored[:, ~np.isfinite(stored).all(axis=0)] = NODATA
    return stored
