"""Images in [-1, 1] as image files, single or in a grid, written atomically."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from rsforge import durable
from rsforge.data.io.image_reader import Pixels
from rsforge.errors import RsforgeError

_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
PICTURE_SUFFIXES = tuple(_FORMATS)
_ENCODER_OPTIONS: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"lossless": True}}


def check_picture_path(path: Path) -> None:
    """RSF-U006 unless an image can be written under this name."""
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        found = f"suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise RsforgeError("RSF-U006", f"{path.name!r} is no name for a picture", where=str(path), found=found)
    if kind == "WEBP" and not features.check("webp"):
        raise RsforgeError("RSF-U006", "the installed Pillow cannot write WebP", where=str(path))
    if path.is_dir():
        raise RsforgeError("RSF-U006", f"{path} is a folder", where=str(path))


def to_uint8(x: Tensor) -> Pixels:
    """``(B, C, H, W)`` in [-1, 1], C 1 or 3, to ``(B, H, W, 3)`` in 0..255, rounded; beyond is clipped."""
    x = x.detach().float().cpu().expand(-1, 3, -1, -1)
    levels = ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    pixels: Pixels = levels.permute(0, 2, 3, 1).contiguous().numpy()
    return pixels


def encode_image(pixels: Pixels, suffix: str) -> bytes:
    """The contents of an image file: ``(H, W)`` or ``(H, W, C)`` in the format of ``suffix``."""
    buffer = io.BytesIO()
    kind = _FORMATS[suffix.lower()]
    Image.fromarray(pixels).save(buffer, kind, **_ENCODER_OPTIONS.get(kind, {}))
    return buffer.getvalue()


def save_image(path: Path, x: Tensor) -> None:
    """Write one image ``(C, H, W)`` in [-1, 1]."""
    check_picture_path(path)
    durable.write_bytes(path, encode_image(to_uint8(x[None])[0], path.suffix))


def save_grid(path: Path, x: Tensor, nrow: int = 4, padding: int = 2) -> None:
    """Write ``(B, C, H, W)`` in [-1, 1] as rows of ``nrow`` images with ``padding`` black pixels around each."""
    check_picture_path(path)
    durable.write_bytes(path, encode_image(arrange_grid(to_uint8(x), nrow, padding), path.suffix))


def arrange_grid(pixels: Pixels, nrow: int = 4, padding: int = 2) -> Pixels:
    """``(B, H, W, 3)`` arranged in one image ``(H', W', 3)``; a single image is returned unchanged."""
    count, height, width, _ = pixels.shape
    if count == 1:
        return np.asarray(pixels[0])
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    h, w = height + padding, width + padding
    sheet = np.zeros((rows * h + padding, columns * w + padding, 3), np.uint8)
    for k, image in enumerate(pixels):
        top = k // columns * h + padding
        left = k % columns * w + padding
        sheet[top : top + height, left : left + width] = image
    return sheet


def image_name(number: int) -> str:
    """The file name of an image among others."""
    return f"image_{number:03d}.png"


def save_individuals(folder: Path, x: Tensor, first: int = 0) -> list[Path]:
    """Write each of ``(B, C, H, W)`` as ``image_%03d.png`` numbered from ``first``; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / image_name(first + k) for k in range(len(x))]
    for path, image in zip(paths, x, strict=True):
        save_image(path, image)
    return paths
