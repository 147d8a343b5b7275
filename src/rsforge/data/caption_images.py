"""Images for captioned data sets: made square, and encoded straight into their files."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image, ImageOps, features

from rsforge import durable
from rsforge.data.images import Pixels
from rsforge.errors import RsforgeError

Shape = Literal["stretch", "crop", "pad"]
Format = Literal["jpeg", "png", "webp"]
SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}

_END_OF_JPEG = b"\xff\xd9"


def shaped(pixels: Pixels, side: int, shape: Shape) -> Image.Image:
    """``(H, W, 3)`` as a ``side`` x ``side`` picture by Lanczos resampling; as it is for ``side`` 0."""
    image = Image.fromarray(pixels)
    if side == 0 or image.size == (side, side):
        return image
    if shape == "crop":
        return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    if shape == "stretch":
        return image.resize((side, side), Image.Resampling.LANCZOS)
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
