"""Pictures from disk as 8-bit RGB: read rightly or refused with a reason, never guessed."""

from __future__ import annotations

import io
import logging
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rsforge.errors import RsforgeError, from_os_error

Pixels = npt.NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})
FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 1 << 29  # more than MAX_PIXELS of 16-bit RGBA

# Without a handler of its own Pillow's complaints about single files would reach the terminal.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 258, 262, 274, 277


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
    if not data:
        raise UnreadableError("the file is empty")
    try:
        with _hushed(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_header(image)
            image.load()
            return np.ascontiguousarray(_upright(_to_rgb(image), _orientation(image)))
    except UnreadableError:
        raise
    except UnidentifiedImageError:
        raise UnreadableError(_unidentified(data)) from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"it has more than {MAX_PIXELS:,} pixels") from None
    # Decoders raise whatever a damaged file leads them to: SyntaxError, struct.error, MemoryError, ...
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise UnreadableError(f"it cannot be decoded ({reason})") from error


class _Hush:
    lock, readers, undo = threading.Lock(), 0, ExitStack()


@contextmanager
def _hushed() -> Iterator[None]:
    """Silence Pillow; ``catch_warnings`` is process-wide, so the first reader enters and the last one leaves."""
    with _Hush.lock:
        if _Hush.readers == 0:
            _Hush.undo.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _Hush.readers += 1
    try:
        yield
    finally:
        with _Hush.lock:
            _Hush.readers -= 1
            if _Hush.readers == 0:
                _Hush.undo.close()


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
    bands, samples = len(image.getbands()), _tag(image, _SAMPLES, 0)
    if samples > bands:
        raise UnreadableError(f"it has {samples} bands where {bands} are expected ({image.mode})")


def _unidentified(data: bytes) -> str:
    """Pillow opens only some TIFFs and says nothing about the rest; their directory does."""
    if data[:2] not in (b"II", b"MM"):
        return "it is not an intact PNG, JPEG, BMP or TIFF image"
    try:
        header = 16 if 43 in data[2:4] else 8  # BigTIFF or classic
        directory, file = ImageFileDirectory_v2(data[:header]), io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        samples, bits = directory.get(_SAMPLES, 1), directory.get(_BITS, (1,))[0]
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
    top = 2 ** _tag(image, _BITS, 16) - 1
    values: npt.NDArray[np.uint32] = np.asarray(image).astype(np.uint32)
    values[values == image.info.get("transparency", -1)] = 0
    if _tag(image, _PHOTOMETRIC, 1) == 0:  # the smallest value is white
        values = top - values
    values = (values * 255 + top // 2) // top
    return values.astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata beside sound pixels
        return 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Undo an EXIF orientation 1-8 (EXIF 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    vertical, horizontal = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
