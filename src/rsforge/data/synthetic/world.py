"""Scenes of an endless drawn world: by number, season and region, in strips of bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from rsforge.data.io.image_reader import Pixels
from rsforge.data.synthetic import landscape
from rsforge.data.synthetic.backscatter import LOOKS, sigma0, speckled
from rsforge.data.synthetic.noise_textures import Array, Ground, colours
from rsforge.seeds import derive

SEASONS = ("winter", "spring", "summer", "fall")
REGIONS = ("tropical", "temperate", "arctic")

# What plants turn to, and how far.
_TINTS = {
    "winter": ("132 120 100", 0.35),
    "spring": ("124 168 76", 0.2),
    "summer": ("150 146 84", 0.12),
    "fall": ("172 112 52", 0.3),
    "tropical": ("24 92 44", 0.25),
    "arctic": ("150 156 146", 0.3),
}
_SAMPLES = 1 << 20  # of one strip, a quarter of them per pixel


def grounds(
    seed: int, number: int, size: int, *, kind: str = "", season: str = "", region: str = ""
) -> Iterator[Ground]:
    """Scene ``number`` of the world ``seed``, ``size`` pixels a side, as recorded strips from its first row down.

    Its kind is drawn when not given. The picture is that of ``scenes.draw_tile``, plants tinted by season and region.
    """
    step = max(_SAMPLES // (4 * size), 16)
    for row in range(0, size, step):
        rng = np.random.default_rng(derive(seed, "tile", number))
        g = Ground(rng, size, slice(row, min(row + step, size)), record=True)
        landscape.compose(g, kind)
        for tint, strength in (_TINTS[word] for word in (season, region) if word in _TINTS):
            g.paint(g.share("crop", "grass", "forest") * np.float32(strength), colours(tint)[0])
        yield g


def views(seed: int, number: int, size: int, **look: str) -> Iterator[tuple[Ground, Array]]:
    """The strips of ``grounds`` with what a radar sees of each: ``(rows, size)`` in linear power, speckled."""
    noise = np.random.default_rng(derive(seed, "speckle", number))
    for g in grounds(seed, number, size, **look):
        power = sigma0(g, np.random.default_rng(derive(seed, "sar", number)))
        yield g, speckled(power, LOOKS, noise)


def pair(seed: int, number: int, size: int, **look: str) -> tuple[Pixels, Array]:
    """Scene ``number`` as optical ``(size, size, 3)`` and SAR ``(size, size)`` in speckled linear power."""
    optical, sar = zip(*((g.pixels(), power) for g, power in views(seed, number, size, **look)), strict=True)
    return np.concatenate(optical), np.concatenate(sar)


def picture(pixels: Pixels, kind: str = "PNG") -> bytes:
    """``(H, W)`` or ``(H, W, 3)`` as the contents of a PNG or JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()
