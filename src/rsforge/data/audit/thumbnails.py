"""Thumbnails of images of any dtype, for reports."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.io.image_reader import Pixels

SIZE = 128


def make_thumbnail(values: npt.NDArray[Any], size: int = SIZE) -> Pixels:
    """``values (H, W, C)`` as uint8 ``(h, w, 3)`` of at most ``size`` pixels; of 2 or over 3 bands the first is shown.

    Other dtypes than uint8 are stretched from their 2nd to their 98th percentile; NaN is black.
    """
    bands = values[..., :3] if values.shape[2] == 3 else values[..., :1]
    step = max(1, min(bands.shape[:2]) // (4 * size))
    bands = bands[::step, ::step]
    pixels = bands if bands.dtype == np.uint8 else _stretch(bands.astype(np.float32))
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))
    image.thumbnail((size, size), Image.Resampling.BOX)
    return np.asarray(image)


def _stretch(values: npt.NDArray[np.float32]) -> Pixels:
    sound = values[np.isfinite(values)]
    low, high = np.percentile(sound, (2, 98)) if sound.size else (0.0, 1.0)
    scaled = np.nan_to_num((values - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def overlay_pair(sar: Pixels, optical: Pixels) -> Pixels:
    """Two thumbnails of one size in one image: SAR red, optical green; yellow where both are bright."""
    both = np.zeros_like(sar)
    both[..., 0] = sar.mean(axis=2)
    both[..., 1] = optical.mean(axis=2)
    return both


def encode_png(pixels: Pixels) -> bytes:
    """The contents of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
