"""Images for captioned data sets: made square, and encoded straight into their files."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import BinaryIO, Literal

from PIL import Image, features

from rsforge import durable
from rsforge.data.images import decode_rgb, orientation, picture
from rsforge.errors import RsforgeError

Shape = Literal["stretch", "crop", "pad"]
Format = Literal["jpeg", "png", "webp"]
SUFFIXES: dict[Format, str] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}

_END_OF_JPEG = b"\xff\xd9"


def squared(data: bytes, side: int, shape: Shape, kind: Format) -> Image.Image:
    """The picture in ``data`` made square to be encoded as ``kind``; ``UnreadableError`` as ``decode_rgb``.

    From JPEG to JPEG the colours are not converted, and chroma is resampled at the half side that is stored.
    """
    with picture(io.BytesIO(data)) as image:
        if kind == "jpeg" and shape != "pad" and side and side % 2 == 0 and _is_ycbcr(image):
            image.draft("YCbCr", image.size)
            return _by_planes(image, side, _box(image, shape))
    return shaped(Image.fromarray(decode_rgb(data)), side, shape)


def _is_ycbcr(image: Image.Image) -> bool:
    components = [layer[0] for layer in getattr(image, "layer", [])]
    upright = image.mode == "RGB" and orientation(image) == 1
    return upright and components == [1, 2, 3] and image.info.get("adobe_transform", 1) == 1


def _box(image: Image.Image, shape: Shape) -> tuple[float, float, float, float]:
    """What of the image is kept: all, or the square at its centre."""
    width, height = image.size
    short = min(image.size)
    dx, dy = ((width - short) / 2, (height - short) / 2) if shape == "crop" else (0, 0)
    return dx, dy, width - dx, height - dy


def _by_planes(image: Image.Image, side: int, box: tuple[float, float, float, float]) -> Image.Image:
    luma, *chroma = image.split()
    half = [plane.resize((side // 2, side // 2), Image.Resampling.LANCZOS, box) for plane in chroma]
    doubled = [plane.resize((side, side), Image.Resampling.NEAREST) for plane in half]
    return Image.merge("YCbCr", (luma.resize((side, side), Image.Resampling.LANCZOS, box), *doubled))


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
