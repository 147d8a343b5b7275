"""Any image or raster, read by its header or by windows: stored dtype, upright, with a mask of valid pixels."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.bands.meaning import COLOURS, BandMeaning
from rsforge.data.files.mask_paths import find_mask
from rsforge.data.files.stack_paths import find_members, name_bands
from rsforge.data.io import geotiff
from rsforge.data.io.band_choice import choose_bands
from rsforge.data.io.georeference import Grid, Mask, OpenRaster, Raster, RasterInfo
from rsforge.data.io.image_reader import (
    BITS,
    MAX_PIXELS,
    ORIENTATION,
    PHOTOMETRIC,
    SAMPLES,
    UnreadableError,
    is_mask,
    is_tiff,
    open_image,
    read_orientation,
    read_tiff_directory,
    rotate_upright,
)
from rsforge.data.io.mask_files import apply_mask
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.data.io.stacked_raster import stack_rasters
from rsforge.data.io.windows import Window

__all__ = [
    "Grid",
    "OpenRaster",
    "Raster",
    "RasterInfo",
    "UnreadableError",
    "find_centre",
    "open_raster",
    "read_centre",
    "read_info",
    "read_raster",
]

CENTRE_BYTES = 1 << 26
_WIDTH = 256
_HEIGHT = 257
_COMPRESSION = 259
_EXTRA = 338
_FORMAT = 339
_OLD_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946}
_GEO = {33550, 33922, 34264, 34735, 42113, 50844}  # GeoTIFF 1.1 annex A, GDAL's nodata, rational polynomials
_CMYK = 5
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")  # boxes, and the bare code stream


def read_info(path: Path) -> RasterInfo:
    """The header of ``path``, without its pixels; ``UnreadableError`` with the reason."""
    with open_raster(path) as raster:
        return raster.info


def read_raster(path: Path, window: Window | None = None) -> Raster:
    """The pixels of ``path``, or of a window inside it; ``UnreadableError`` with the reason.

    Values ``(H, W, C)`` keep the stored dtype; alpha bands and masks become ``valid``, palettes and CMYK become RGB.
    With GDAL only the strips or tiles under the window are decoded.
    """
    with open_raster(path) as raster:
        return raster.read(window or raster.info.whole)


def read_centre(path: Path) -> Raster:
    """An image, or of one larger than ``CENTRE_BYTES`` the centre; ``UnreadableError`` when it cannot be read."""
    with open_raster(path) as raster:
        return raster.read(find_centre(raster.info))


def find_centre(info: RasterInfo) -> Window:
    """The whole of an image, or of one larger than ``CENTRE_BYTES`` the centre."""
    pixels = CENTRE_BYTES // max(info.bands * np.dtype(info.dtype).itemsize, 1)
    if info.height * info.width <= pixels:
        return info.whole
    size = math.isqrt(pixels)
    height, width = min(info.height, size), min(info.width, size)
    return Window((info.height - height) // 2, (info.width - width) // 2, height, width)


@contextmanager
def open_raster(
    path: Path, bands: Sequence[str] = (), *, alpha: geotiff.Alpha = "auto", onto: RasterInfo | None = None
) -> Iterator[OpenRaster]:
    """Open a raster, or its ``bands`` alone, to read its windows; ``UnreadableError`` here and from its ``read``.

    GDAL reads TIFFs that are georeferenced, declare nodata, hold values of more than 8 bits or signed ones, or bands
    that are no colours, PNGs of 16-bit colours, and JPEG 2000. Pillow decodes all others completely, at the first
    window. ``alpha`` says what a band called alpha is, and ``onto`` an image onto whose grid it is resampled, as in
    ``open_with_gdal``.
    """
    if members := find_members(path):
        with ExitStack() as stack:
            opened = [stack.enter_context(open_raster(one, alpha=alpha, onto=onto)) for one in members]
            yield choose_bands(stack_rasters(path, name_bands(path), opened), bands)
        return
    driver, orientation = _choose_decoder(path)
    if driver is None:
        with apply_mask(_open_with_pillow(path, alpha), geotiff.SAFE, orientation) as masked:
            yield choose_bands(masked, bands)
        return
    with geotiff.open_with_gdal(path, driver=driver, bands=bands, alpha=alpha, onto=onto) as raster:
        if onto is not None and find_mask(path):
            raise UnreadableError("the mask in a file beside it is not resampled with it")
        with apply_mask(raster, geotiff.SAFE) as masked:
            yield masked if orientation == 1 else _rotate_raster(masked, orientation)


def _choose_decoder(path: Path) -> tuple[geotiff.Driver | None, int]:
    """The GDAL driver to read with, None for Pillow; and the EXIF orientation, which GDAL does not apply.

    That of what Pillow reads is told where a mask lies beside it, which has none.
    """
    with _open_regular_file(path) as file:
        if is_tiff(file):
            return _choose_tiff_decoder(file, find_mask(path) is None)
        file.seek(0)
        header = file.read(26)
        if header.startswith(_JPEG_2000):
            return "JP2OpenJPEG", 1
        if _is_deep_png(header):
            file.seek(0)
            with open_image(file) as image:
                return "PNG", read_orientation(image)
        if find_mask(path):
            file.seek(0)
            with open_image(file) as image:
                return None, read_orientation(image)
    return None, 1


def _choose_tiff_decoder(file: BinaryIO, may_be_plain: bool) -> tuple[geotiff.Driver | None, int]:
    try:
        with silence_libraries():
            tags = read_tiff_directory(file)
            if may_be_plain and _is_plain(tags):
                return None, 1
            # The transform of a georeferenced raster is that of its pixels as stored.
            return "GTiff", 1 if _GEO & tags.keys() else int(_first_value(tags.get(ORIENTATION, 1)))
    except Exception:  # tags are decoded on access, and damaged ones raise many types
        raise UnreadableError("it is a damaged TIFF") from None


def _is_deep_png(header: bytes) -> bool:
    """Whether a file begins as a PNG of 16 bits a band with colour or alpha (PNG 1.2, IHDR)."""
    depth, colour_type = header[24:25], header[25:26]
    return header[:8] == b"\x89PNG\r\n\x1a\n" and depth == b"\x10" and colour_type in (b"\2", b"\4", b"\6")


@contextmanager
def _open_regular_file(path: Path) -> Iterator[BinaryIO]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            raise UnreadableError("it is not a regular file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise UnreadableError(error.strerror or first_line(error)) from error


def _first_value(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _is_plain(tags: Any) -> bool:
    """Whether a TIFF holds 8-bit grey or colours and is small enough to be decoded completely."""
    alpha = int(_first_value(tags.get(_EXTRA, 0)) in (1, 2))
    colours = int(tags.get(SAMPLES, 1)) - alpha
    return (
        not _GEO & tags.keys()
        and int(tags.get(_COMPRESSION, 1)) in _OLD_COMPRESSIONS
        and int(_first_value(tags.get(BITS, 1))) <= 8
        and int(_first_value(tags.get(_FORMAT, 1))) in (1, 4)
        and (colours in (1, 3) or int(tags.get(PHOTOMETRIC, 0)) == _CMYK)
        and int(tags.get(_WIDTH, 0)) * int(tags.get(_HEIGHT, 0)) <= MAX_PIXELS
    )


def _open_with_pillow(path: Path, alpha: geotiff.Alpha) -> OpenRaster:
    with _open_regular_file(path) as file, open_image(file) as image:
        roles = ("grey",) if _is_grey(image) else COLOURS
        # Pillow rotates TIFFs itself and reports the size after rotation.
        on_its_side = read_orientation(image) > 4 and image.format != "TIFF"
        width, height = image.size[::-1] if on_its_side else image.size
        dtype = "uint16" if image.mode.startswith("I") else "uint8"
        pictures = int(getattr(image, "n_frames", 1))
        info = RasterInfo(
            path, height, width, len(roles), dtype, None, None, image.mode, pictures=pictures,
            meanings=tuple(BandMeaning(role=role) for role in roles),
        )  # fmt: skip
        spare = _has_alpha(image) and alpha == "band"
        decoded = None
        if _has_alpha(image) and alpha == "auto":
            image.load()
            spare = not is_mask(np.asarray(image.getchannel("A")))
            decoded = _to_arrays(image, spare=spare)

    @cache
    def decode() -> tuple[npt.NDArray[Any], Mask]:
        if decoded is not None:
            return decoded
        with _open_regular_file(path) as file, open_image(file) as image:
            image.load()
            return _to_arrays(image, spare=spare)

    def read(window: Window) -> Raster:
        values, valid = decode()
        return _crop(info, values, valid, window)

    if spare:
        last = BandMeaning()
        info = replace(info, bands=info.bands + 1, meanings=(*info.meanings, last), spare_alpha=True)
    return OpenRaster(info, read)


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I")


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA")


def _to_arrays(image: Image.Image, *, spare: bool) -> tuple[npt.NDArray[Any], Mask]:
    """Values ``(H, W, C)`` and where they hold data; with ``spare`` the band called alpha is the last of them."""
    orientation = read_orientation(image)
    if image.mode.startswith("I"):
        values: npt.NDArray[Any] = np.asarray(image).astype(np.uint16)
        valid: Mask = values != image.info.get("transparency", -1)
    elif spare:
        values, valid = np.asarray(image), np.ones(image.size[::-1], bool)
    else:
        values = np.asarray(image.convert("L" if _is_grey(image) else "RGB"))
        valid = np.ones(values.shape[:2], bool)
        if image.has_transparency_data:
            valid = np.asarray(image.convert("RGBA"))[..., 3] > 0
    values = values.reshape(*values.shape[:2], -1)
    return rotate_upright(values, orientation), rotate_upright(valid, orientation)


def _crop(info: RasterInfo, values: npt.NDArray[Any], valid: Mask, window: Window) -> Raster:
    rows = slice(window.row, window.row + window.height)
    cols = slice(window.col, window.col + window.width)
    return Raster(np.ascontiguousarray(values[rows, cols]), np.ascontiguousarray(valid[rows, cols]), info)


def _rotate_raster(raster: OpenRaster, orientation: int) -> OpenRaster:
    """A raster that GDAL reads as stored, rotated upright: read completely, then cropped."""
    info = raster.info
    whole = raster.info.whole
    if orientation > 4:
        info = RasterInfo(**{**vars(info), "height": info.width, "width": info.height})

    def read_upright(window: Window) -> Raster:
        stored = raster.read(whole)
        return _crop(
            info, rotate_upright(stored.values, orientation), rotate_upright(stored.valid, orientation), window
        )

    return OpenRaster(info, read_upright, raster.metadata)
