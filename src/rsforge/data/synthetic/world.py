"""Synthetic scenes by number, season and region, painted in strips of bounded memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from rsforge.data.io.image_reader import Pixels
from rsforge.data.synthetic import landscape
from rsforge.data.synthetic.backscatter import LOOKS, add_speckle, sigma0
from rsforge.data.synthetic.noise_textures import Array, PaintedScene, parse_colours
from rsforge.seeds import derive

SEASONS = ("winter", "spring", "summer", "fall")
REGIONS = ("tropical", "temperate", "arctic")


class Tint(NamedTuple):
    """A colour, the share by which it replaces the original one, and the materials on which it does so."""

    colour: str
    share: float
    materials: tuple[str, ...] = ("crop", "grass", "forest")


# What a season or a region alone does to vegetation. Weak: most of a colour is that of the parcel.
_TINTS = {
    "winter": Tint("132 120 100", 0.35),
    "spring": Tint("124 168 76", 0.2),
    "summer": Tint("150 146 84", 0.12),
    "fall": Tint("172 112 52", 0.3),
    "tropical": Tint("24 92 44", 0.25),
    "arctic": Tint("150 156 146", 0.3),
}
# What the seasons do to vegetation in each region, where both are known. Strong, as it is from orbit: a dry and a wet
# season in the tropics, snow on open ground in the arctic winter, and four colours between.
_CLIMATES = {
    ("tropical", "winter"): Tint("150 130 78", 0.5),
    ("tropical", "spring"): Tint("106 122 60", 0.5),
    ("tropical", "summer"): Tint("28 92 44", 0.6),
    ("tropical", "fall"): Tint("58 106 48", 0.55),
    ("temperate", "winter"): Tint("124 112 92", 0.65),
    ("temperate", "spring"): Tint("112 168 72", 0.6),
    ("temperate", "summer"): Tint("160 152 80", 0.55),
    ("temperate", "fall"): Tint("172 108 52", 0.6),
    ("arctic", "winter"): Tint("228 234 240", 0.8, ("crop", "grass", "soil")),
    ("arctic", "spring"): Tint("132 124 104", 0.6),
    ("arctic", "summer"): Tint("118 134 88", 0.6),
    ("arctic", "fall"): Tint("152 92 60", 0.6),
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
        for tint in list_tints(season, region):
            scene.paint(scene.material_share(*tint.materials) * np.float32(tint.share), parse_colours(tint.colour)[0])
        yield scene


def list_tints(season: str, region: str) -> list[Tint]:
    """What season and region do to the colours of a scene; an empty or unknown word does nothing."""
    if (region, season) in _CLIMATES:
        return [_CLIMATES[region, season]]
    return [_TINTS[word] for word in (season, region) if word in _TINTS]


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
