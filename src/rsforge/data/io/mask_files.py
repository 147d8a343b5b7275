"""Masks in files beside rasters of any format, as GDAL writes them: NAME.tif.msk says where NAME.tif holds data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window as Frame

from rsforge.data.files.mask_paths import find_mask
from rsforge.data.io.georeference import Mask, OpenRaster, Raster
from rsforge.data.io.image_reader import UnreadableError, rotate_upright
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.windows import Window

_FLAGS = "INTERNAL_MASK_FLAGS_1"
_OF_ALL_BANDS = 2  # GDAL's GMF_PER_DATASET


@contextmanager
def apply_mask(raster: OpenRaster, options: dict[str, Any], orientation: int = 1) -> Iterator[OpenRaster]:
    """``raster`` without data where the mask beside it is 0; as it is where there is none for all of its bands.

    ``options`` are those of GDAL to open with. Masks lie as pixels are stored: where ``raster`` was rotated upright by
    its EXIF ``orientation``, so is its mask. ``UnreadableError`` for a damaged mask, or one of another size.
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
        height, width = mask.shape[::-1] if orientation > 4 else mask.shape
        if (height, width) != (raster.info.height, raster.info.width):
            raise UnreadableError(f"its mask {path.name} has {height} x {width} pixels, another size than it has")
        yield _mask_raster(raster, partial(_read_mask, mask, orientation))


def _read_mask(mask: Any, orientation: int, window: Window) -> Mask:
    """Where a window holds data."""
    with silence_libraries():
        try:
            if orientation == 1:
                frame = Frame(window.col, window.row, window.width, window.height)
                return np.asarray(mask.read(1, window=frame) > 0)
            upright = rotate_upright(mask.read(1), orientation)
        except Exception as error:
            raise UnreadableError(f"its mask cannot be decoded ({first_line(error)})") from error
    bottom, right = window.row + window.height, window.col + window.width
    return np.asarray(upright[window.row : bottom, window.col : right] > 0)


def _mask_raster(raster: OpenRaster, inside: Callable[[Window], Mask]) -> OpenRaster:
    info = replace(raster.info, mask_beside=True)

    def read(window: Window) -> Raster:
        whole = raster.read(window)
        return Raster(whole.values, whole.valid & inside(window), info)

    def pick(positions: Sequence[int]) -> OpenRaster:
        assert raster.pick is not None
        return _mask_raster(raster.pick(positions), inside)

    return OpenRaster(info, read, raster.metadata, pick if raster.pick else None)
