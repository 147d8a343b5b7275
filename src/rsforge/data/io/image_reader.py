"""Pictures from disk as 8-bit RGB: read rightly or refused with a reason, never guessed."""

from __future__ import annotations

import io
import logging
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rsforge.errors import RsforgeError, from_os_error

Pixels = npt.NDArray[np.uint8]
Scalar = TypeVar("Scalar", bound=np.generic)

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 1 << 29  # more than MAX_PIXELS of 16-bit RGBA

# Without a handler of its own Pillow's complaints about single files would reach the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

BITS, PHOTOMETRIC, ORIENTATION, SAMPLES = 258, 262, 274, 277  # TIFF 6.0, section 8


class UnreadableError(Exception):
    """Why a file is no picture for us, in half a sentence."""


def find_images(folder: Path, *, exclude: Path | None = None) -> list[Path]:
    """All files under ``folder`` with a suffix of ``SUFFIXES`` in either case, by relative path.

    Linked folders are entered, each real folder once, those of ``exclude`` never. None found, or no such folder,
    raises RSF-D001.
    """
    if not folder.is_dir():
        reason = "it is a file, not a folder" if folder.exists() else "the folder does not exist"
        raise RsforgeError("RSF-D001", f"No images found in {folder}: {reason}", where=str(folder))
    found = sorted(_walk(folder, _identity(exclude)), key=lambda path: path.relative_to(folder).as_posix())
    if not found:
        raise RsforgeError("RSF-D001", f"No images found in {folder}", where=str(folder))
    return found


def _identity(folder: Path | None) -> set[tuple[int, int]]:
    """Device and inode of a folder that exists: it may be reached under another name."""
    if folder is None or not folder.is_dir():
        return set()
    status = folder.stat()
    return {(status.st_dev, status.st_ino)}


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status, entries = folder.stat(), sorted(folder.iterdir())
    except OSError as error:
        raise from_os_error(error) from error
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, seen)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def read_rgb(path: Path) -> Pixels:
    """The picture as ``(H, W, 3)``, upright; anything else raises RSF-D002 with path and reason."""
    try:
        return decode_rgb(read_bytes(path))
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


def unreadable(path: Path, reason: str) -> RsforgeError:
    """What a user is told of an image that cannot be used: RSF-D002."""
    return RsforgeError("RSF-D002", f"cannot read the image {path}: {reason}", where=str(path))


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of sane size, or ``UnreadableError``."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise UnreadableError("it is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableError(f"the file has {status.st_size} bytes, more than {MAX_BYTES}")
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error


def decode_rgb(data: bytes) -> Pixels:
    """Decode fully to ``(H, W, 3)``: orientation applied, alpha composited on black, 16-bit grey scaled.

    Formats outside ``FORMATS``, more than ``MAX_PIXELS`` (by the header, before decoding), floats, LAB, extra
    bands and damaged data raise ``UnreadableError``.
    """
    with picture(io.BytesIO(data)) as image:
        image.load()
        return np.ascontiguousarray(upright(_to_rgb(image), orientation(image)))


@contextmanager
def picture(file: BinaryIO) -> Iterator[Image.Image]:
    """The picture in ``file``, its header checked; whatever damage raises in the block is ``UnreadableError``."""
    try:
        if not file.read(1):
            raise UnreadableError("the file is empty")
        file.seek(0)
        with hushed(), Image.open(file, formats=FORMATS) as image:
            _check_header(image)
            yield image
    except UnreadableError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError(_unidentified(file)) from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"it has more than {MAX_PIXELS:,} pixels") from None
    # Decoders raise whatever a damaged file leads them to: SyntaxError, struct.error, MemoryError, ...
    except Exception as error:
        raise UnreadableError(f"it cannot be decoded ({first_line(error)})") from error


def first_line(error: Exception) -> str:
    """What a library said, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


class _Hush:
    lock, readers, undo = threading.Lock(), 0, ExitStack()


@contextmanager
def hushed() -> Iterator[None]:
    """Silence Pillow and rasterio; ``catch_warnings`` is process-wide, so the first enters and the last leaves."""
    with _Hush.lock:
        if _Hush.readers == 0:
            _Hush.undo.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\b")
            warnings.filterwarnings("ignore", message="Dataset has no geotransform")
            for hook in ("excepthook", "unraisablehook"):
                _Hush.undo.callback(setattr, sys, hook, getattr(sys, hook))
            # Compiled code prints what it cannot raise by the first hook, then reports it to the second.
            sys.excepthook = _nothing
            sys.unraisablehook = partial(_unraisable, sys.unraisablehook)
        _Hush.readers += 1
    try:
        yield
    finally:
        with _Hush.lock:
            _Hush.readers -= 1
            if _Hush.readers == 0:
                _Hush.undo.close()


def _nothing(*error: object) -> None: ...


def _unraisable(others: Callable[[Any], object], event: Any) -> None:
    # rasterio takes GDAL's messages for UTF-8, but they may quote the bytes of a damaged file.
    if not (isinstance(event.exc_value, UnicodeDecodeError) and "rasterio" in str(event.object)):
        others(event)


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
    bands, samples = len(image.getbands()), _tag(image, SAMPLES, 0)
    if samples > bands:
        raise UnreadableError(f"it has {samples} bands where {bands} are expected ({image.mode})")


def tiff_directory(file: BinaryIO) -> ImageFileDirectory_v2:
    """The first directory of a TIFF or BigTIFF, pixels left alone; a damaged one raises ``UnreadableError``."""
    try:
        file.seek(0)
        header = file.read(8)
        directory = ImageFileDirectory_v2(header + (file.read(8) if 43 in header[2:4] else b""))
        file.seek(directory.next)
        directory.load(file)
    except Exception:
        raise UnreadableError("it is a damaged TIFF") from None
    return directory


def is_tiff(file: BinaryIO) -> bool:
    """Whether ``file`` begins as a TIFF does."""
    file.seek(0)
    return file.read(2) in (b"II", b"MM")


def _unidentified(file: BinaryIO) -> str:
    """Pillow opens only some TIFFs and says nothing about the rest; their directory does."""
    if not is_tiff(file):
        return "it is not an intact PNG, JPEG, BMP or TIFF image"
    try:
        directory = tiff_directory(file)
        samples, bits = directory.get(SAMPLES, 1), directory.get(BITS, (1,))[0]
    except Exception:
        return "it is a damaged TIFF"
    return f"it is a TIFF of an unusual kind (bands: {samples}, bits: {bits}), neither RGB nor grey"


def _tag(image: Image.Image, tag: int, default: int) -> int:
    """A number from a TIFF's directory; the default for other formats."""
    value = getattr(image, "tag_v2", {}).get(tag, default)
    return int(value[0] if isinstance(value, tuple) else value)


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):
        grey = _grey_16bit(image)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"), np.uint16)
        return ((rgba[..., :3] * rgba[..., 3:] + 127) // 255).astype(np.uint8)
    return np.asarray(image.convert("RGB"))


def _grey_16bit(image: Image.Image) -> Pixels:
    # Pillow's own conversion clips everything above 255.
    top = 2 ** _tag(image, BITS, 16) - 1
    values: npt.NDArray[np.uint32] = np.asarray(image).astype(np.uint32)
    values[values == image.info.get("transparency", -1)] = 0
    if _tag(image, PHOTOMETRIC, 1) == 0:  # the smallest value is white
        values = top - values
    values = (values * 255 + top // 2) // top
    return values.astype(np.uint8)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1-8; 1 when there is none."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata beside sound pixels
        return 1


def upright(pixels: npt.NDArray[Scalar], orientation: int) -> npt.NDArray[Scalar]:
    """``(H, W, ...)`` turned as an EXIF orientation 1-8 says (EXIF 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    vertical, horizontal = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
