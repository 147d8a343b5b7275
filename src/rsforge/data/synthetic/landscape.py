"""Synthetic satellite scenes of four kinds, composed of layers: fields, river, village, coast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rsforge.data.synthetic.landscape_layers import (
    add_illumination,
    paint_coast,
    paint_fields,
    paint_forest,
    paint_river,
    paint_road,
    paint_village,
)
from rsforge.data.synthetic.noise_textures import PaintedScene, parse_colours
from rsforge.seeds import derive

LUSH = parse_colours("62 92 44, 84 114 54, 104 130 66, 128 148 82, 92 104 56, 150 140 96, 122 98 72, 74 100 60")
DRY = parse_colours("176 152 106, 196 176 124, 150 124 88, 134 104 76, 112 112 68, 88 106 56, 162 128 94, 116 92 72")
SPRING = parse_colours("76 122 52, 98 146 62, 196 186 74, 120 150 84, 140 112 84, 104 82 64, 66 104 50, 158 168 108")


def _compose_fields(scene: PaintedScene, angle: float, turn: float) -> None:
    for quarter in range(scene.rng.integers(0, 3)):
        paint_road(scene, angle + quarter * np.pi / 2, scene.rng.uniform(-0.35, 0.35), 0.008, paved=False)
    if scene.rng.random() < 0.25:
        paint_village(scene, angle, (scene.rng.uniform(-0.3, 0.3), scene.rng.uniform(-0.3, 0.3)), 0.07)


def _compose_river(scene: PaintedScene, angle: float, turn: float) -> None:
    paint_river(scene, turn)
    if scene.rng.random() < 0.4:
        paint_road(scene, turn + np.pi / 2 + scene.rng.uniform(-0.3, 0.3), scene.rng.uniform(-0.3, 0.3), 0.014)


def _compose_village(scene: PaintedScene, angle: float, turn: float) -> None:
    along, across = scene.rng.uniform(-0.2, 0.2, 2)
    paint_village(scene, angle, (along, across), scene.rng.uniform(0.1, 0.3))
    paint_road(scene, angle, across, 0.018)
    paint_road(scene, angle + np.pi / 2 + scene.rng.uniform(-0.5, 0.5), -along + scene.rng.uniform(-0.1, 0.1), 0.014)


def _compose_coast(scene: PaintedScene, angle: float, turn: float) -> None:
    offset = scene.rng.uniform(-0.2, 0.2)
    if scene.rng.random() < 0.5:
        paint_road(scene, turn, 0.12 - offset, 0.012)
    if scene.rng.random() < 0.35:
        paint_village(scene, turn, (scene.rng.uniform(-0.3, 0.3), 0.15 - offset), 0.12)
    paint_coast(scene, turn, offset)


CROPS = (LUSH, LUSH, DRY, SPRING)
"""The colours of fields, each as likely as the others; half of all scenes are lush."""

KINDS: dict[str, Callable[[PaintedScene, float, float], None]] = {
    "fields": _compose_fields,
    "river": _compose_river,
    "village": _compose_village,
    "coast": _compose_coast,
}


def compose_scene(scene: PaintedScene, kind: str = "") -> None:
    """Paint ``scene``, of a kind from ``KINDS`` that its random numbers choose when none is given."""
    drawn_kind = list(KINDS)[scene.rng.integers(len(KINDS))]
    crops = CROPS[scene.rng.integers(len(CROPS))]
    angle = scene.rng.uniform(0, np.pi)
    turn = scene.rng.uniform(0, 2 * np.pi)
    paint_fields(scene, crops, angle, int(scene.rng.integers(4, 8)))
    paint_forest(scene, scene.noise(3, 3) - scene.uniform(0.4, 2.2))
    scene.kind = kind or drawn_kind
    KINDS[scene.kind](scene, angle, turn)
    add_illumination(scene)


def draw_scene(rng: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
    """One scene ``(size, size, 3)`` of a kind that ``rng`` chooses from ``KINDS``."""
    scene = PaintedScene(rng, size)
    compose_scene(scene)
    return scene.pixels()


def draw_close_up(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    """The middle of ``draw_tile``, half as wide and high, at twice the resolution ``(size, size, 3)``."""
    middle = slice(size // 2, size // 2 + size)
    scene = PaintedScene(np.random.default_rng(derive(seed, "tile", index)), 2 * size, rows=middle)
    compose_scene(scene)
    return np.ascontiguousarray(scene.pixels()[:, middle])


def draw_tile(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    """Scene ``index`` of the series ``seed`` as ``(size, size, 3)``: fields, river, village or coast."""
    return draw_scene(np.random.default_rng(derive(seed, "tile", index)), size)
