"""Files of pictures as 8-bit RGB: decoded completely, or refused with a reason."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rsforge.data.files.stack_paths import find_members
from rsforge.data.files.walk import SUFFIXES as SUFFIXES
from rsforge.data.files.walk import find_images as find_images
from rsforge.data.io.native_output import first_line, silence_libraries
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

Pixels = npt.NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "JPEG2000")
READ = "PNG, JPEG, BMP, TIFF, WebP or JPEG 2000"
NO_DATA = "none of its pixels holds data"
MAX_PIXELS = 50_000_000
MASK_SHARE = 0.5  # of the values of an alpha band that lie at an end of its range, if it is a mask
MAX_BYTES = 1 << 29  # more than MAX_PIXELS of 16-bit RGBA

# Tags of TIFF 6.0, section 8
WIDTH = 256
BITS = 258
PHOTOMETRIC = 262
ORIENTATION = 274
SAMPLES = 277


class UnreadableError(Exception):
    """Why a file cannot be used as an image or raster, as a clause; ``fix`` is the remedy where it is an option."""

    def __init__(self, reason: str, *, fix: str = "") -> None:
        super().__init__(reason)
        self.fix = fix


def read_rgb(path: Path) -> Pixels:
    """The image as ``(H, W, 3)``, upright; RSF-D002 with path and reason when it cannot be decoded."""
    try:
        return decode_rgb(read_bytes(path))
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason)) from None


def unreadable_error(path: Path, reason: str, fix: str = "") -> RsforgeError:
    """RSF-D002 for an image that cannot be used; ``fix`` is the remedy where that is an option."""
    return RsforgeError("RSF-D002", f"cannot read the image {path}: {reason}", where=str(path), fix=fix)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of at most ``MAX_BYTES``; ``UnreadableError`` otherwise.

    Those of a set of files stand one after the other, each with its length before it.
    """
    if members := find_members(path):
        return b"".join(len(data).to_bytes(8, "big") + data for data in map(read_bytes, members))
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would block for ever
            raise UnreadableError("it is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableError(f"the file has {status.st_size} bytes, more than {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def decode_rgb(data: bytes) -> Pixels:
    """The colours of ``decode_masked``."""
    return decode_masked(data)[0]


def decode_masked(data: bytes) -> tuple[Pixels, npt.NDArray[np.bool_] | None]:
    """Decode fully to ``(H, W, 3)``: orientation applied, black where an alpha mask is 0, 16-bit grey scaled.

    And where it holds data ``(H, W)``; None for everywhere.

    Formats outside ``FORMATS``, more than ``MAX_PIXELS`` (by the header, before decoding), floats, LAB, extra
    bands and damaged data raise ``UnreadableError``.
    """
    with open_image(io.BytesIO(data)) as image:
        image.load()
        orientation = read_orientation(image)
        colours, valid = _to_rgb(image)
        upright = None if valid is None or valid.all() else rotate_upright(valid, orientation)
        return np.ascontiguousarray(rotate_upright(colours, orientation)), upright


@contextmanager
def open_image(file: BinaryIO) -> Iterator[Image.Image]:
    """Open the image in ``file`` and check its header; errors in the block become ``UnreadableError``."""
    try:
        if not file.read(1):
            raise UnreadableError("the file is empty")
        file.seek(0)
        with silence_libraries(), Image.open(file, formats=FORMATS) as image:
            _check_header(image)
            yield image
    except UnreadableError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError(_explain_unidentified(file)) from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"it has more than {MAX_PIXELS:,} pixels") from None
    # Decoders raise many types for damaged files: SyntaxError, struct.error, MemoryError, ...
    except Exception as error:
        raise UnreadableError(f"it cannot be decoded ({first_line(error)})") from error


def _check_header(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadableError(f"it has {width} x {height} pixels, more than {MAX_PIXELS:,}")
    if width * height == 0:
        raise UnreadableError("it has no pixels")
    if image.mode == "F":
        raise UnreadableError("its values are floating point, whose range is not declared")
    if image.mode == "LAB":
        raise UnreadableError("its colours are LAB, not RGB")
    if image.mode == "I" and image.format != "PNG":
        raise UnreadableError("its values are 32-bit or signed integers, whose range is not declared")
    bands = len(image.getbands())
    samples = _read_tag(image, SAMPLES, 0)
    if samples > bands:
        raise UnreadableError(f"it has {count_noun(samples, 'band')} where {bands} are expected ({image.mode})")


def read_tiff_directory(file: BinaryIO) -> ImageFileDirectory_v2:
    """The first directory of a TIFF or BigTIFF, without its pixels; a damaged one raises ``UnreadableError``."""
    try:
        file.seek(0)
        header = file.read(8)
        is_big_tiff = 43 in header[2:4]
        if is_big_tiff:
            header += file.read(8)
        with silence_libraries():
            directory = ImageFileDirectory_v2(header)
            file.seek(directory.next)
            directory.load(file)
    except Exception:
        raise UnreadableError("it is a damaged TIFF") from None
    return directory


def is_tiff(file: BinaryIO) -> bool:
    """Whether ``file`` begins as a TIFF does."""
    file.seek(0)
    return file.read(2) in (b"II", b"MM")


def _explain_unidentified(file: BinaryIO) -> str:
    """Why Pillow does not open a file: it gives no reason for unusual TIFFs, whose directory is read here."""
    if not is_tiff(file):
        return f"it is not an intact {READ} image"
    try:
        directory = read_tiff_directory(file)
        with silence_libraries():
            samples = directory.get(SAMPLES, 1)
            bits = directory.get(BITS, (1,))[0]
    except Exception:
        return "it is a damaged TIFF"
    if WIDTH not in directory:
        return "it is a damaged TIFF"
    return f"it is a TIFF of an unusual kind (bands: {samples}, bits: {bits}), neither RGB nor grey"


def _read_tag(image: Image.Image, tag: int, default: int) -> int:
    """A number from the directory of a TIFF; ``default`` for other formats."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _to_rgb(image: Image.Image) -> tuple[Pixels, npt.NDArray[np.bool_] | None]:
    if image.mode.startswith("I"):
        grey, valid = _scale_16bit(image)
        return np.repeat(grey[..., None], 3, axis=2), valid
    if image.has_transparency_data:
        colours, valid = split_alpha(np.asarray(image.convert("RGBA")))
        return blacken(colours, valid), valid
    return np.asarray(image.convert("RGB")), None


def split_alpha(rgba: Pixels) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """Colours ``(H, W, 3)`` as they are stored, and where they hold data: not where an alpha mask is 0."""
    alpha = rgba[..., 3]
    valid = alpha > 0 if is_mask(alpha) else np.ones(alpha.shape, bool)
    return rgba[..., :3], valid


def is_mask(alpha: npt.NDArray[Any]) -> bool:
    """Whether most values of an alpha band are at an end of its range.

    GDAL calls the fourth band of any 8-bit file alpha; one that holds measurements, as of infrared, has other values.
    """
    ends = (alpha == 0) | (alpha == np.iinfo(alpha.dtype).max)
    return bool(ends.mean() >= MASK_SHARE)


def blacken(colours: Pixels, valid: npt.NDArray[np.bool_]) -> Pixels:
    """``colours (H, W, 3)``, black where ``valid (H, W)`` is False."""
    return colours if valid.all() else colours * valid[..., None].astype(np.uint8)


def _scale_16bit(image: Image.Image) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    # Pillow's own conversion clips all values above 255.
    top = 2 ** _read_tag(image, BITS, 16) - 1
    values: npt.NDArray[np.uint32] = np.asarray(image).astype(np.uint32)
    valid = values != image.info.get("transparency", -1)
    values[~valid] = 0
    if _read_tag(image, PHOTOMETRIC, 1) == 0:  # the smallest value is white
        values = top - values
    values = (values * 255 + top // 2) // top
    return values.astype(np.uint8), valid


def read_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1-8; 1 when there is none."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata beside intact pixels
        return 1


def rotate_upright(pixels: npt.NDArray[Scalar], orientation: int) -> npt.NDArray[Scalar]:
    """``(H, W, ...)`` rotated and mirrored according to an EXIF orientation 1-8 (EXIF 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
