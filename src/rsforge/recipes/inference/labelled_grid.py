"""Images in a grid that a person reads without other help: small ones enlarged, columns and rows named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, features
from torch import Tensor

from rsforge import durable
from rsforge.data.io.image_reader import Pixels
from rsforge.data.io.image_writer import check_picture_path, encode_image, to_uint8

LEAST_SIDE = 128  # pixels of an image in the grid
GAP = 4
MARGIN = 22  # for a line of text
FONT_SIZE = 14
PAPER, INK = (255, 255, 255), (40, 40, 40)


def save_labelled_grid(
    path: Path, x: Tensor, *, nrow: int, title: str = "", columns: Sequence[str] = (), rows: Sequence[str] = ()
) -> None:
    """Write ``(B, C, H, W)`` in [-1, 1] as rows of ``nrow`` images, with ``title`` and names of columns and rows."""
    check_picture_path(path)
    sheet = draw_labelled_grid(to_uint8(x), nrow=nrow, title=title, columns=columns, rows=rows)
    durable.write_bytes(path, encode_image(np.asarray(sheet), path.suffix))


def draw_labelled_grid(
    pixels: Pixels, *, nrow: int, title: str = "", columns: Sequence[str] = (), rows: Sequence[str] = ()
) -> Image.Image:
    """``(B, H, W, 3)`` enlarged by the least whole factor that makes both sides ``LEAST_SIDE``, in a named grid."""
    pixels = enlarge(pixels)
    count, height, width, _ = pixels.shape
    across = min(nrow, count)
    left = GAP + MARGIN * bool(rows)
    top = GAP + MARGIN * bool(title) + MARGIN * bool(columns)
    size = (left + across * (width + GAP), top + math.ceil(count / across) * (height + GAP))
    sheet = Image.new("RGB", size, PAPER)
    for k, image in enumerate(pixels):
        row, column = divmod(k, across)
        sheet.paste(Image.fromarray(image), (left + column * (width + GAP), top + row * (height + GAP)))
    if title:
        _paste_text(sheet, title, (GAP, GAP), size[0] - GAP)
    for k, name in enumerate(columns[:across]):
        _paste_text(sheet, name, (left + k * (width + GAP), top - MARGIN), width)
    for k, name in enumerate(rows):
        _paste_text(sheet, name, (GAP, top + k * (height + GAP)), height, upward=True)
    return sheet


def enlarge(pixels: Pixels) -> Pixels:
    """``(B, H, W, 3)`` with each pixel repeated until both sides are at least ``LEAST_SIDE``."""
    factor = max(1, math.ceil(LEAST_SIDE / min(pixels.shape[1:3])))
    return np.ascontiguousarray(pixels.repeat(factor, axis=1).repeat(factor, axis=2))


def _paste_text(sheet: Image.Image, text: str, place: tuple[int, int], room: int, *, upward: bool = False) -> None:
    """Write ``text`` within ``room`` pixels from ``place``, to the right or, turned, from the middle of a side."""
    # Pillow without FreeType has a bitmap font of one size.
    font = ImageFont.load_default(FONT_SIZE if features.check("freetype2") else None)
    strip = Image.new("RGB", (room, MARGIN), PAPER)
    drawing = ImageDraw.Draw(strip)
    start = max(0.0, (room - drawing.textlength(text, font)) / 2) if upward else 0.0
    drawing.text((start, 1), text, fill=INK, font=font)
    sheet.paste(strip.rotate(90, expand=True) if upward else strip, place)
