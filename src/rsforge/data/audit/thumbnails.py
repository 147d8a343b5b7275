"""Small pictures of images of any type, for people to look at."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.io.image_reader import Pixels

SIDE = 128


def thumbnail(values: npt.NDArray[Any], side: int = SIDE) -> Pixels:
    """``values (H, W, C)`` as ``(h, w, 3)`` 8-bit, ``side`` at most; bands but 1 or 3 are shown by their first.

    Other types than uint8 are stretched from their 2nd to their 98th percentile; what is no number is black.
    """
    bands = values[..., :3] if values.shape[2] == 3 else values[..., :1]
    step = max(1, min(bands.shape[:2]) // (4 * side))
    bands = bands[::step, ::step]
    pixels = bands if bands.dtype == np.uint8 else _stretched(bands.astype(np.float32))
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))
    image.thumbnail((side, side), Image.Resampling.BOX)
    return np.asarray(image)


def _stretched(values: npt.NDArray[np.float32]) -> Pixels:
    sound = values[np.isfinite(values)]
    low, high = np.percentile(sound, (2, 98)) if sound.size else (0.0, 1.0)
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def overlay(sar: Pixels, optical: Pixels) -> Pixels:
    """Two thumbnails of one size in one: SAR red, optical green; what agrees is yellow."""
    both = np.zeros_like(sar)
    both[..., 0], both[..., 1] = sar.mean(axis=2), optical.mean(axis=2)
    return both


def png(pixels: Pixels) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
