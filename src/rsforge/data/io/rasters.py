"""Any image or raster by its header or by a window: native dtype, upright, with what holds no data marked."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.io import geotiff
from rsforge.data.io.georeference import Grid, Mask, Opened, Raster, RasterInfo
from rsforge.data.io.image_reader import (
    BITS,
    MAX_PIXELS,
    ORIENTATION,
    PHOTOMETRIC,
    SAMPLES,
    UnreadableError,
    first_line,
    hushed,
    is_tiff,
    orientation,
    picture,
    tiff_directory,
    upright,
)
from rsforge.data.io.windows import Window

__all__ = ["Grid", "Opened", "Raster", "RasterInfo", "UnreadableError", "inspect", "opened", "read"]

_WIDTH, _HEIGHT, _COMPRESSION, _EXTRA, _FORMAT = 256, 257, 259, 338, 339
_OLD_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946}
_GEO = {33550, 33922, 34264, 34735, 42113}  # GeoTIFF 1.1 annex A, and GDAL's nodata
_CMYK = 5


def inspect(path: Path) -> RasterInfo:
    """What the header of ``path`` says, no pixels read; ``UnreadableError`` with the reason."""
    with opened(path) as raster:
        return raster.info


def read(path: Path, window: Window | None = None) -> Raster:
    """The pixels of ``path``, or of a window inside it; ``UnreadableError`` with the reason.

    Values are (H, W, C) as stored: 16-bit and floats stay so, alpha and masks become ``valid``, palettes and CMYK
    become RGB. Only the strips or tiles of the window are read from what GDAL reads.
    """
    with opened(path) as raster:
        return raster.read(window or raster.info.whole)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A raster to read windows of, judged by its header; ``UnreadableError`` also from its ``read``.

    A TIFF that is georeferenced, has nodata, deep or signed values, or bands that are no colours goes to GDAL, and so
    does a PNG of 16-bit colours; Pillow decodes the rest whole, once, at the first window.
    """
    driver, turn = _judged(path)
    if driver is None:
        yield _pictured(path)
    else:
        with geotiff.opened(path, driver=driver) as raster:
            yield raster if turn == 1 else _turned(raster, turn)


def _judged(path: Path) -> tuple[Literal["GTiff", "PNG"] | None, int]:
    """The driver of GDAL that is needed, if one is, and the orientation that it does not know of."""
    with _regular(path) as file:
        if is_tiff(file):
            try:
                with hushed():
                    tags = tiff_directory(file)
                    turn = 1 if _GEO & tags.keys() else int(_first(tags.get(ORIENTATION, 1)))
                    return (None if _is_plain(tags) else "GTiff"), turn
            except Exception:  # tags are decoded when asked for, and a damaged one raises anything
                raise UnreadableError("it is a damaged TIFF") from None
        file.seek(0)
        header = file.read(26)
        if header[:8] == b"\x89PNG\r\n\x1a\n" and header[24:25] == b"\x10" and header[25:26] in b"\2\4\6":
            file.seek(0)
            with picture(file) as image:
                return "PNG", orientation(image)
    return None, 1


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise UnreadableError("it is not a regular file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UnreadableError(error.strerror or first_line(error)) from error


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _is_plain(tags: Any) -> bool:
    """Whether a TIFF is a picture of 8-bit grey or colours, small enough to be decoded whole."""
    alpha = int(_first(tags.get(_EXTRA, 0)) in (1, 2))
    colours = int(tags.get(SAMPLES, 1)) - alpha
    return (
        not _GEO & tags.keys()
        and int(tags.get(_COMPRESSION, 1)) in _OLD_COMPRESSIONS
        and int(_first(tags.get(BITS, 1))) <= 8
        and int(_first(tags.get(_FORMAT, 1))) in (1, 4)
        and (colours in (1, 3) or int(tags.get(PHOTOMETRIC, 0)) == _CMYK)
        and int(tags.get(_WIDTH, 0)) * int(tags.get(_HEIGHT, 0)) <= MAX_PIXELS
    )


def _pictured(path: Path) -> Opened:
    with _regular(path) as file, picture(file) as image:
        bands = 1 if _is_grey(image) else 3
        # Pillow turns a TIFF itself and gives the turned size.
        lying = orientation(image) > 4 and image.format != "TIFF"
        width, height = image.size[::-1] if lying else image.size
        dtype = "uint16" if image.mode.startswith("I") else "uint8"
        info = RasterInfo(path, height, width, bands, dtype, None, None, image.mode)

    @cache
    def decoded() -> tuple[npt.NDArray[Any], Mask]:
        with _regular(path) as file, picture(file) as image:
            image.load()
            return _pixels(image)

    return Opened(info, lambda window: _cropped(info, *decoded(), window))


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _pixels(image: Image.Image) -> tuple[npt.NDArray[Any], Mask]:
    turn = orientation(image)
    if image.mode.startswith("I"):
        values: npt.NDArray[Any] = np.asarray(image).astype(np.uint16)
        valid: Mask = values != image.info.get("transparency", -1)
    else:
        values = np.asarray(image.convert("L" if _is_grey(image) else "RGB"))
        valid = np.ones(values.shape[:2], bool)
        if image.has_transparency_data:
            valid = np.asarray(image.convert("RGBA"))[..., 3] > 0
    values = values.reshape(*values.shape[:2], -1)
    return upright(values, turn), upright(valid, turn)


def _cropped(info: RasterInfo, values: npt.NDArray[Any], valid: Mask, window: Window) -> Raster:
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    return Raster(np.ascontiguousarray(values[rows, cols]), np.ascontiguousarray(valid[rows, cols]), info)


def _turned(raster: Opened, turn: int) -> Opened:
    """What GDAL reads without regard to its orientation, upright: read whole, then cropped."""
    info, whole = raster.info, raster.info.whole
    if turn > 4:
        info = RasterInfo(**{**vars(info), "height": info.width, "width": info.height})

    def read_upright(window: Window) -> Raster:
        stored = raster.read(whole)
        return _cropped(info, upright(stored.values, turn), upright(stored.valid, turn), window)

    return Opened(info, read_upright, raster.notes)
