"""Images for captioned data sets: made square, and encoded straight into their files."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image, features

from rsforge import durable
from rsforge.data.io.image_reader import UnreadableError, decode_rgb, orientation, picture, upright
from rsforge.errors import RsforgeError

Shape = Literal["stretch", "crop", "pad"]
Format = Literal["jpeg", "png", "webp"]
SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
FULL = (0, 65535)

_END_OF_JPEG = b"\xff\xd9"


def squared(data: bytes, side: int, shape: Shape, clip: tuple[float, float] | None = None) -> Image.Image:
    """The picture in ``data`` made square; ``UnreadableError`` as ``decode_rgb``.

    Values of 16 bits need the range ``clip`` that becomes black to white: few sensors fill all of them.
    """
    with picture(io.BytesIO(data)) as image:
        if image.format == "JPEG" and image.mode == "RGB" and orientation(image) == 1:  # spare the way through arrays
            return shaped(image.convert("RGB"), side, shape)
        if _is_16bit(image) and clip != FULL:
            return shaped(_clipped(image, clip), side, shape)
    return shaped(Image.fromarray(decode_rgb(data)), side, shape)


def _is_16bit(image: Image.Image) -> bool:
    # Of colours Pillow keeps the upper byte, and tells only by how it is going to read them.
    return image.mode.startswith("I") or any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _clipped(image: Image.Image, clip: tuple[float, float] | None) -> Image.Image:
    if clip is None:
        raise UnreadableError("its values have 16 bits, whose range is not declared by --clip LOW HIGH")
    if not image.mode.startswith("I"):
        raise UnreadableError(f"its colours have 16 bits, which can only be read with --clip {FULL[0]} {FULL[1]}")
    low, high = clip
    grey = np.clip((np.asarray(image).astype(np.float32) - low) * (255 / (high - low)), 0, 255)
    return Image.fromarray(upright(grey.round().astype(np.uint8), orientation(image))).convert("RGB")


def _box(image: Image.Image, shape: Shape) -> tuple[float, float, float, float]:
    """What of the image is kept: all, or the square at its centre."""
    width, height = image.size
    short = min(image.size)
    dx, dy = ((width - short) / 2, (height - short) / 2) if shape == "crop" else (0, 0)
    return dx, dy, width - dx, height - dy


def shaped(image: Image.Image, side: int, shape: Shape) -> Image.Image:
    """An RGB image as a ``side`` x ``side`` one by Lanczos resampling; as it is for ``side`` 0."""
    if side == 0 or image.size == (side, side):
        return image
    if shape != "pad":
        return image.resize((side, side), Image.Resampling.LANCZOS, _box(image, shape))
    width, height = (max(1, round(length * side / max(image.size))) for length in image.size)
    canvas = Image.new("RGB", (side, side))
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    canvas.paste(small, ((side - width) // 2, (side - height) // 2))
    return canvas


def check_format(kind: Format) -> None:
    """RSF-U005 when the installed Pillow does not write ``kind``."""
    if kind == "webp" and not features.check("webp"):
        raise RsforgeError("RSF-U005", "the installed Pillow cannot write WebP", where="--format")


def save(path: Path, image: Image.Image, kind: Format, quality: int) -> None:
    """Encode ``image`` into the file ``path``, not flushed; no room left is always an ``OSError``."""
    durable.before_operation("write")
    try:
        with path.open("w+b") as file:
            image.save(file, kind, **({} if kind == "png" else {"quality": quality}))
            file.flush()
            if kind == "jpeg":
                _check_end(file)
            _start_writing(file)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _start_writing(file: BinaryIO) -> None:
    # Linux writes at once what is no longer needed: a later flush of many files then waits once, not for each.
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _check_end(file: BinaryIO) -> None:
    # The encoder writes to the descriptor itself, without the GIL, and takes a short write for a whole one.
    size = os.fstat(file.fileno()).st_size
    if os.pread(file.fileno(), 2, max(size - 2, 0)) != _END_OF_JPEG:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
