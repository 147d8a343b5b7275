"""Masks in files beside rasters, as GDAL writes them: NAME.tif.msk says where NAME.tif holds data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window as Frame

from rsforge.data.io.georeference import OpenRaster, Raster
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.windows import Window

_FLAGS = "INTERNAL_MASK_FLAGS_1"
_OF_ALL_BANDS = 2  # GDAL's GMF_PER_DATASET


def find_mask(path: Path) -> Path | None:
    """The file of the mask beside a raster; None where there is none."""
    beside = path.with_name(f"{path.name}.msk")
    return beside if beside.is_file() else None


@contextmanager
def apply_mask(raster: OpenRaster, options: dict[str, Any]) -> Iterator[OpenRaster]:
    """``raster`` without data where the mask beside it is 0; as it is where there is none for all of its bands.

    ``options`` are those of GDAL to open with. ``UnreadableError`` for a damaged mask, or one of another size.
    """
    path = find_mask(raster.info.path)
    if path is None:
        yield raster
        return
    with ExitStack() as stack:
        try:
            with silence_libraries():
                stack.enter_context(rasterio.Env(**options))
                mask = stack.enter_context(rasterio.open(path.resolve(), driver="GTiff"))
                flags = int(mask.tags().get(_FLAGS, 0))
        except Exception as error:  # GDAL's own errors, and flags that are no numbers
            raise UnreadableError(f"its mask {path.name} cannot be read ({first_line(error)})") from error
        if not flags & _OF_ALL_BANDS:  # GDAL heeds no others
            yield raster
            return
        if mask.shape != (raster.info.height, raster.info.width):
            height, width = mask.shape
            raise UnreadableError(f"its mask {path.name} has {height} x {width} pixels, another size than it has")
        yield _mask_raster(raster, mask)


def _mask_raster(raster: OpenRaster, mask: Any) -> OpenRaster:
    info = replace(raster.info, mask_beside=True)

    def read(window: Window) -> Raster:
        whole = raster.read(window)
        with silence_libraries():
            try:
                inside = mask.read(1, window=Frame(window.col, window.row, window.width, window.height)) > 0
            except Exception as error:
                raise UnreadableError(f"its mask cannot be decoded ({first_line(error)})") from error
        return Raster(whole.values, whole.valid & inside, info)

    def pick(positions: Sequence[int]) -> OpenRaster:
        assert raster.pick is not None
        return _mask_raster(raster.pick(positions), mask)

    return OpenRaster(info, read, raster.metadata, pick if raster.pick else None)
