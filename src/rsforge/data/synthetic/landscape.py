"""Synthetic satellite scenes: fields, rivers, villages with roads, coasts, and what their ground is made of.

Lengths are fractions of the tile's side, angles radians, colours RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rsforge.data.synthetic.noise_textures import Array, Ground, colours
from rsforge.seeds import derive

LUSH = colours("62 92 44, 84 114 54, 104 130 66, 128 148 82, 92 104 56, 150 140 96, 122 98 72, 74 100 60")
DRY = colours("176 152 106, 196 176 124, 150 124 88, 134 104 76, 112 112 68, 88 106 56, 162 128 94, 116 92 72")
SPRING = colours("76 122 52, 98 146 62, 196 186 74, 120 150 84, 140 112 84, 104 82 64, 66 104 50, 158 168 108")
ROOFS = colours("176 104 84, 158 88 72, 190 178 168, 150 146 144, 206 200 192, 128 98 88")
FOREST, MEADOW, HEDGE = colours("40 62 36, 98 116 66, 50 68 42")
ROAD, TRACK, SAND, SURF = colours("166 162 156, 178 160 128, 212 196 158, 232 238 236")
RIVER, SILT, SHALLOW, GREEN, DEEP = colours("44 74 84, 96 108 92, 66 132 136, 84 124 108, 18 50 82")
(HAZE,) = colours("196 208 220")

_PLOTS = 64  # house plots repeat after this many, far outside the tile


def lay_fields(g: Ground, crops: Array, angle: float, levels: int) -> None:
    """A patchwork of ``2**levels`` parcels: a square split again and again, mostly along its longer side."""
    bend = g.uniform(0, 0.012)
    axes = np.stack([axis + bend * g.noise(3) for axis in g.turned(angle)]).reshape(2, -1)
    lower, upper = np.full((1, 2), -0.8), np.full((1, 2), 0.8)
    samples = axes.shape[1]
    leaf, pixel = np.zeros(samples, np.int64), np.arange(samples)
    edge = np.ones(samples, np.float32)
    for _ in range(levels):
        side = upper - lower
        row, along = np.arange(len(side)), (side * g.rng.uniform(0.6, 1.4, side.shape)).argmax(1)
        cut = lower[row, along] + side[row, along] * g.rng.uniform(0.3, 0.7, len(row))
        offset = axes[along[leaf], pixel] - cut.astype(np.float32)[leaf]
        edge = np.minimum(edge, np.abs(offset))
        leaf = 2 * leaf + (offset > 0)
        lower, upper = np.repeat(lower, 2, 0), np.repeat(upper, 2, 0)
        upper[2 * row, along], lower[2 * row + 1, along] = cut, cut
    _sow(g, crops, axes, leaf, 2**levels)
    hedge = g.cover(g.uniform(0.002, 0.005) - edge.reshape(g.shape))
    growth = np.clip(0.5 + 0.6 * g.noise(7), 0, 0.85)
    border, material = (HEDGE, "forest") if g.rng.random() < 0.7 else (TRACK, "sand")
    g.paint(hedge * growth, border, material)


def _sow(g: Ground, crops: Array, axes: Array, leaf: npt.NDArray[np.int64], count: int) -> None:
    rng = g.rng
    crop = rng.choice(len(crops), count, p=rng.dirichlet(np.full(len(crops), 0.8)))
    tint = crops[crop, :, 0, 0] * rng.uniform(0.85, 1.15, (count, 1)) + rng.normal(0, 0.012, (count, 3))
    g.sow(leaf.reshape(g.shape), tint.astype(np.float32))
    rows = rng.integers(0, 2, count)
    pitch, depth = rng.uniform(100, 280, count), rng.uniform(0, 0.07, count) * (rng.random(count) < 0.6)
    furrows = np.sin(np.where(rows[leaf], axes[0], axes[1]) * pitch.astype(np.float32)[leaf])
    blotch = rng.uniform(0.01, 0.06, count).astype(np.float32)[leaf].reshape(g.shape)
    g.shade(1 + (furrows * depth.astype(np.float32)[leaf]).reshape(g.shape) + blotch * g.noise(6, 2))


def lay_forest(g: Ground, where: Array) -> None:
    """Dark, mottled canopy where ``where`` is positive, with a shadow at its edge."""
    mask = g.cover(where + np.float32(0.15) * g.noise(24), 0.12)
    crowns = np.float32(0.13) * g.noise(40) + np.float32(0.11) * g.noise(72) + np.float32(0.1) * g.noise(6)
    g.shade(1 - np.float32(0.35) * g.cover(where + np.float32(0.12), 0.3) * (1 - mask))
    tint = FOREST * g.uniform(0.85, 1.2) * g.rng.uniform(0.93, 1.07, (3, 1, 1)).astype(np.float32)
    g.paint(mask, tint * (1 + crowns), "forest")


def lay_river(g: Ground, angle: float) -> None:
    """A winding river of varying width with woods along it and sand inside its bends."""
    u, v = g.turned(angle)
    turns = g.uniform(3, 7) * np.array([1, 2.1, 3.7], np.float32).reshape(3, 1, 1)
    swing = (g.rng.uniform(0.4, 1, 3) * [0.13, 0.035, 0.01]).astype(np.float32).reshape(3, 1, 1)
    bends = turns * u + g.rng.uniform(0, 2 * np.pi, (3, 1, 1)).astype(np.float32)
    middle = (swing * np.sin(bends)).sum(0) + g.uniform(-0.15, 0.15)
    slope = (swing * turns * np.cos(bends)).sum(0)
    half = g.uniform(0.018, 0.06) * (1 + np.float32(0.3) * np.sin(g.uniform(5, 12) * u + g.uniform(0, 6)))
    side = (v - middle) / np.sqrt(1 + slope**2)
    dry = np.abs(side) - half
    lay_forest(g, (g.uniform(0, 0.06) - dry) * 8 + np.float32(0.7) * g.noise(9) - np.float32(0.3))
    inside = -np.sin(bends[0]) * np.sign(side)  # the middle line curves towards this side where positive
    g.paint(g.cover(np.float32(0.016) * inside - np.abs(dry), 0.004), SAND, "sand")
    water = RIVER + g.uniform(0, 1) * (SILT - RIVER)
    shoal = np.float32(0.15) * g.cover(dry + np.float32(0.012), 0.02)
    g.paint(g.cover(-dry), water * (1 + np.float32(0.04) * g.noise(12) + shoal), "water")


def lay_road(g: Ground, angle: float, offset: float, width: float, paved: bool = True) -> None:
    """A nearly straight road, or a track of sand, with darker verges."""
    u, v = g.turned(angle)
    bow = g.uniform(-0.04, 0.04) * np.sin(g.uniform(1, 5) * u + g.uniform(0, 6))
    apart = np.abs(v - np.float32(offset) - bow)
    g.shade(1 - np.float32(0.25) * g.cover(np.float32(width) - apart, 0.004))
    g.paint(g.cover(np.float32(width / 2) - apart) * np.float32(0.9), *((ROAD, "road") if paved else (TRACK, "sand")))
    g.laid.append("road" if paved else "track")


def lay_village(g: Ground, angle: float, centre: tuple[float, float], radius: float) -> None:
    """Houses with bright roofs and shadows, in blocks between streets, around ``centre`` in turned axes."""
    u, v = (axis - np.float32(at) for axis, at in zip(g.turned(angle), centre, strict=True))
    inside = np.float32(radius) * (1 + np.float32(0.35) * g.noise(6)) - np.hypot(u, v * g.uniform(0.8, 1.5))
    g.paint(g.cover(inside, 0.05) * np.float32(0.75), MEADOW * (1 + np.float32(0.15) * g.noise(36)), "grass")
    plot = g.uniform(0.026, 0.036)
    u, v = u / plot, v / plot
    street = np.minimum(np.abs(u - 4 * np.round(u / 4)), np.abs(v - 2 * np.round(v / 2)))
    g.paint(g.cover(inside) * g.cover((np.float32(0.12) - street) * plot) * np.float32(0.8), ROAD, "road")
    _build(g, u, v, plot, inside > 0)


def _build(g: Ground, u: Array, v: Array, plot: np.float32, inside: npt.NDArray[np.bool_]) -> None:
    """A house on most unit plots of the axes ``u``, ``v``, its shadow falling to one side."""
    rng, count = g.rng, _PLOTS**2
    i, j = np.floor(u), np.floor(v)
    cell = (i % _PLOTS * _PLOTS + j % _PLOTS).astype(np.int64)
    size = rng.uniform(0.2, 0.36, (2, count)).astype(np.float32)[:, cell]
    shift = rng.uniform(0.42, 0.58, (2, count)).astype(np.float32)[:, cell]
    built = (rng.random(count) < rng.uniform(0.65, 0.95))[cell] & inside
    roofs = ROOFS[rng.choice(len(ROOFS), count, p=rng.dirichlet(np.full(len(ROOFS), 2))), :, 0, 0].T
    du, dv = u - i - shift[0], v - j - shift[1]

    def house(by: float) -> Array:
        inner = np.minimum(size[0] - np.abs(du - np.float32(by)), size[1] - np.abs(dv - np.float32(by)))
        return g.cover(np.where(built, inner * plot, np.float32(-1)))

    g.shade(1 - np.float32(0.5) * house(0.14))
    g.paint(house(0), roofs[:, cell] * (1 + np.float32(0.12) * np.sign(du)), "roof")


def lay_coast(g: Ground, angle: float, offset: float) -> None:
    """Sea beyond a ragged line, with shallows, surf and a beach."""
    _, v = g.turned(angle)
    ragged = g.uniform(0.01, 0.035)
    shore = v + np.float32(offset) + np.float32(0.06) * g.noise(2) + ragged * g.noise(5, 4)
    beach = g.uniform(0.006, 0.03)
    g.paint(g.cover(np.float32(2.2) * beach - shore, 0.03) * np.float32(0.55), MEADOW * np.float32(1.05), "grass")
    g.paint(g.cover(beach - shore, 0.008), SAND, "sand")
    deep = np.clip(np.float32(0.08) * g.noise(5) - shore / g.uniform(0.1, 0.4), 0, 1) ** np.float32(0.6)
    shallow = SHALLOW + g.uniform(0, 1) * (GREEN - SHALLOW)
    waves = 1 + np.float32(0.03) * (g.noise(28) + g.noise(64))
    g.paint(g.cover(-shore), (shallow + deep * (DEEP * g.uniform(0.8, 1.4) - shallow)) * waves, "water")
    surf = g.cover(np.float32(0.006) - np.abs(shore + np.float32(0.006)), 0.006)
    g.paint(surf * np.clip(0.35 + 0.5 * g.noise(16), 0, 0.9), SURF, "surf")


def light(g: Ground) -> None:
    """A slope of illumination, gentle relief, fine grain and haze."""
    u, _ = g.turned(g.rng.uniform(0, 2 * np.pi))
    relief = np.float32(0.025) * g.noise(4) + np.float32(0.015) * g.noise(80)
    g.shade(g.uniform(0.94, 1.1) * (1 + g.uniform(0, 0.14) * u + relief))
    g.paint(g.uniform(0.02, 0.14) * np.ones((1, 1), np.float32), HAZE)


def _fields(g: Ground, angle: float, turn: float) -> None:
    for quarter in range(g.rng.integers(0, 3)):
        lay_road(g, angle + quarter * np.pi / 2, g.rng.uniform(-0.35, 0.35), 0.008, paved=False)
    if g.rng.random() < 0.25:
        lay_village(g, angle, (g.rng.uniform(-0.3, 0.3), g.rng.uniform(-0.3, 0.3)), 0.07)


def _river(g: Ground, angle: float, turn: float) -> None:
    lay_river(g, turn)
    if g.rng.random() < 0.4:
        lay_road(g, turn + np.pi / 2 + g.rng.uniform(-0.3, 0.3), g.rng.uniform(-0.3, 0.3), 0.014)


def _village(g: Ground, angle: float, turn: float) -> None:
    along, across = g.rng.uniform(-0.2, 0.2, 2)
    lay_village(g, angle, (along, across), g.rng.uniform(0.1, 0.3))
    lay_road(g, angle, across, 0.018)
    lay_road(g, angle + np.pi / 2 + g.rng.uniform(-0.5, 0.5), -along + g.rng.uniform(-0.1, 0.1), 0.014)


def _coast(g: Ground, angle: float, turn: float) -> None:
    offset = g.rng.uniform(-0.2, 0.2)
    if g.rng.random() < 0.5:
        lay_road(g, turn, 0.12 - offset, 0.012)
    if g.rng.random() < 0.35:
        lay_village(g, turn, (g.rng.uniform(-0.3, 0.3), 0.15 - offset), 0.12)
    lay_coast(g, turn, offset)


KINDS: dict[str, Callable[[Ground, float, float], None]] = {
    "fields": _fields,
    "river": _river,
    "village": _village,
    "coast": _coast,
}


def compose(g: Ground, kind: str = "") -> None:
    """Lay one scene on ``g``, of a kind that its generator picks from ``KINDS`` when none is given."""
    picked = list(KINDS)[g.rng.integers(len(KINDS))]
    crops = (LUSH, LUSH, DRY, SPRING)[g.rng.integers(4)]
    angle, turn = g.rng.uniform(0, np.pi), g.rng.uniform(0, 2 * np.pi)
    lay_fields(g, crops, angle, int(g.rng.integers(4, 8)))
    lay_forest(g, g.noise(3, 3) - g.uniform(0.4, 2.2))
    g.kind = kind or picked
    KINDS[g.kind](g, angle, turn)
    light(g)


def draw(rng: np.random.Generator, size: int) -> npt.NDArray[np.uint8]:
    """One scene ``(size, size, 3)``, of a kind that ``rng`` picks from ``KINDS``."""
    g = Ground(rng, size)
    compose(g)
    return g.pixels()


def draw_tile(seed: int, index: int, size: int) -> npt.NDArray[np.uint8]:
    """Scene ``index`` of the endless series ``seed`` as ``(size, size, 3)``: fields, river, village or coast."""
    return draw(np.random.default_rng(derive(seed, "tile", index)), size)
