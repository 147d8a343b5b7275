"""Images in [-1, 1] to picture files: grids and single ones, written whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

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


def check_picture_path(path: Path) -> None:
    """Raise RSF-U006 unless a picture can be written under this name."""
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


def encode(pixels: Pixels, suffix: str) -> bytes:
    """The file contents of ``(H, W, 3)`` in the format of ``suffix``."""
    buffer = io.BytesIO()
    kind = _FORMATS[suffix.lower()]
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def save_image(path: Path, x: Tensor) -> None:
    """Write one image ``(C, H, W)`` in [-1, 1]."""
    check_picture_path(path)
    durable.write_bytes(path, encode(to_uint8(x[None])[0], path.suffix))


def save_grid(path: Path, x: Tensor, nrow: int = 4, padding: int = 2) -> None:
    """Write ``(B, C, H, W)`` in [-1, 1] as rows of ``nrow`` images, apart and framed by black ``padding``."""
    check_picture_path(path)
    durable.write_bytes(path, encode(grid(to_uint8(x), nrow, padding), path.suffix))


def grid(pixels: Pixels, nrow: int = 4, padding: int = 2) -> Pixels:
    """``(B, H, W, 3)`` laid out in one picture; a single image stays as it is."""
    count, height, width, _ = pixels.shape
    if count == 1:
        return np.asarray(pixels[0])
    columns = min(nrow, count)
    h, w = height + padding, width + padding
    sheet = np.zeros((-(-count // columns) * h + padding, columns * w + padding, 3), np.uint8)
    for k, image in enumerate(pixels):
        top, left = k // columns * h + padding, k % columns * w + padding
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_individuals(folder: Path, x: Tensor, first: int = 0) -> list[Path]:
    """Write each of ``(B, C, H, W)`` as ``image_%03d.png`` numbered from ``first``; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"image_{first + k:03d}.png" for k in range(len(x))]
    for path, image in zip(paths, x, strict=True):
        save_image(path, image)
    return paths
