"""Synthetic scenes by number, season and region, painted in strips of bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from rsforge.data.io.image_reader import Pixels
from rsforge.data.synthetic import landscape
from rsforge.data.synthetic.backscatter import LOOKS, add_speckle, sigma0
from rsforge.data.synthetic.noise_textures import Array, PaintedScene, parse_colours
from rsforge.seeds import derive

SEASONS = ("winter", "spring", "summer", "fall")
REGIONS = ("tropical", "temperate", "arctic")

# The colour of vegetation, and the share by which it replaces the original one.
_TINTS = {
    "winter": ("132 120 100", 0.35),
    "spring": ("124 168 76", 0.2),
    "summer": ("150 146 84", 0.12),
    "fall": ("172 112 52", 0.3),
    "tropical": ("24 92 44", 0.25),
    "arctic": ("150 156 146", 0.3),
}
_SAMPLES = 1 << 20  # of one strip; four make a pixel


def draw_strips(
    seed: int, number: int, size: int, *, kind: str = "", season: str = "", region: str = ""
) -> Iterator[PaintedScene]:
    """Scene ``number`` of the series ``seed``, ``size`` pixels a side, as recorded strips from top to bottom.

    Without ``kind`` its random numbers choose one. The image is that of ``landscape.draw_tile``, with the vegetation
    tinted by season and region.
    """
    step = max(_SAMPLES // (4 * size), 16)
    for row in range(0, size, step):
        rng = np.random.default_rng(derive(seed, "tile", number))
        scene = PaintedScene(rng, size, slice(row, min(row + step, size)), record=True)
        landscape.compose_scene(scene, kind)
        for word in (season, region):
            if word in _TINTS:
                tint, strength = _TINTS[word]
                vegetation = scene.material_share("crop", "grass", "forest")
                scene.paint(vegetation * np.float32(strength), parse_colours(tint)[0])
        yield scene


def draw_sar_strips(seed: int, number: int, size: int, **look: str) -> Iterator[tuple[PaintedScene, Array]]:
    """The strips of ``draw_strips``, each with its backscatter ``(rows, size)`` in linear power, speckled."""
    noise = np.random.default_rng(derive(seed, "speckle", number))
    for scene in draw_strips(seed, number, size, **look):
        power = sigma0(scene, np.random.default_rng(derive(seed, "sar", number)))
        yield scene, add_speckle(power, LOOKS, noise)


def draw_pair(seed: int, number: int, size: int, **look: str) -> tuple[Pixels, Array]:
    """Scene ``number`` as optical ``(size, size, 3)`` and SAR ``(size, size)`` in speckled linear power."""
    optical: list[Pixels] = []
    sar: list[Array] = []
    for scene, power in draw_sar_strips(seed, number, size, **look):
        optical.append(scene.pixels())
        sar.append(power)
    return np.concatenate(optical), np.concatenate(sar)


def encode_image(pixels: Pixels, kind: str = "PNG") -> bytes:
    """The contents of a PNG or JPEG file with the pixels ``(H, W)`` or ``(H, W, 3)``."""
    buffer = io.BytesIO()
    options = {"quality": 95} if kind == "JPEG" else {}
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()
