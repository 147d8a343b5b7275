"""Images for captioned data sets: resized to squares, and encoded directly into their files."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, features

from rsforge import durable
from rsforge.data.io.image_reader import UnreadableError, decode_rgb, open_image, read_orientation, rotate_upright
from rsforge.errors import RsforgeError

SquareMode = Literal["stretch", "crop", "pad"]
Format = Literal["jpeg", "png", "webp"]
SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
FULL = (0, 65535)

_END_OF_JPEG = b"\xff\xd9"


def decode_square(data: bytes, size: int, mode: SquareMode, clip: tuple[float, float] | None = None) -> Image.Image:
    """The image in ``data`` resized to ``size`` x ``size``; ``UnreadableError`` as from ``decode_rgb``.

    Values of 16 bits need ``clip``, the range from black to white: few sensors use all 16 bits.
    """
    with open_image(io.BytesIO(data)) as image:
        # The common case needs no conversion to an array and back.
        if image.format == "JPEG" and image.mode == "RGB" and read_orientation(image) == 1:
            return resize_to_square(image.convert("RGB"), size, mode)
        if _is_16bit(image) and clip != FULL:
            return resize_to_square(_clip_16bit(image, clip), size, mode)
    return resize_to_square(Image.fromarray(decode_rgb(data)), size, mode)


def _is_16bit(image: Image.Image) -> bool:
    # Of 16-bit colours Pillow keeps the upper byte; only its decoder arguments show that there were 16 bits.
    return image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _clip_16bit(image: Image.Image, clip: tuple[float, float] | None) -> Image.Image:
    if clip is None:
        raise UnreadableError("its values have 16 bits, whose range is not declared by --clip LOW HIGH")
    if not image.mode.startswith("I"):
        raise UnreadableError(f"its colours have 16 bits, which can only be read with --clip {FULL[0]} {FULL[1]}")
    low, high = clip
    grey = np.clip((np.asarray(image).astype(np.float32) - low) * (255 / (high - low)), 0, 255)
    return Image.fromarray(rotate_upright(grey.round().astype(np.uint8), read_orientation(image))).convert("RGB")


def _source_box(image: Image.Image, mode: SquareMode) -> tuple[float, float, float, float]:
    """The part of the image that is used, as (left, top, right, bottom): all of it, or the square at its centre."""
    width, height = image.size
    if mode != "crop":
        return 0, 0, width, height
    short = min(image.size)
    dx, dy = (width - short) / 2, (height - short) / 2
    return dx, dy, width - dx, height - dy


def resize_to_square(image: Image.Image, size: int, mode: SquareMode) -> Image.Image:
    """An RGB image resized to ``size`` x ``size`` by Lanczos resampling; unchanged for ``size`` 0."""
    if size == 0 or image.size == (size, size):
        return image
    if mode != "pad":
        return image.resize((size, size), Image.Resampling.LANCZOS, _source_box(image, mode))
    width, height = (max(1, round(length * size / max(image.size))) for length in image.size)
    square = Image.new("RGB", (size, size))
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    square.paste(small, ((size - width) // 2, (size - height) // 2))
    return square


def check_format(kind: Format) -> None:
    """RSF-U005 when the installed Pillow does not write ``kind``."""
    if kind == "webp" and not features.check("webp"):
        raise RsforgeError("RSF-U005", "the installed Pillow cannot write WebP", where="--format")


def save_image(path: Path, image: Image.Image, kind: Format, quality: int) -> None:
    """Encode ``image`` into the file ``path`` without flushing it; a full disk always raises ``OSError``."""
    durable.before_operation("write")
    try:
        with path.open("w+b") as file:
            options: dict[str, int] = {} if kind == "png" else {"quality": quality}
            image.save(file, kind, **options)
            file.flush()
            if kind == "jpeg":
                _check_end(file)
            _start_writing(file)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _start_writing(file: BinaryIO) -> None:
    # Linux starts writing pages that are declared unneeded: a later flush of many files then waits only once.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _check_end(file: BinaryIO) -> None:
    # The encoder writes to the descriptor directly and does not notice when less was written than asked for.
    size = os.fstat(file.fileno()).st_size
    if os.pread(file.fileno(), 2, max(size - 2, 0)) != _END_OF_JPEG:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
