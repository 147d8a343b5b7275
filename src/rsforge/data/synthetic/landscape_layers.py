"""The layers of synthetic scenes: parcels, forest, rivers, roads, villages, coasts and illumination.

Lengths are fractions of the side of the scene, angles radians, colours RGB in [0, 1]. A layer is a mask from the
distance to an outline (lines, curves or noise), blended over what was painted before. The order of random numbers is
part of the result: a line that draws one more changes every scene of every seed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rsforge.data.synthetic.noise_textures import Array, PaintedScene, parse_colours

ROOFS = parse_colours("176 104 84, 158 88 72, 190 178 168, 150 146 144, 206 200 192, 128 98 88")
FOREST, MEADOW, HEDGE = parse_colours("40 62 36, 98 116 66, 50 68 42")
ROAD, TRACK, SAND, SURF = parse_colours("166 162 156, 178 160 128, 212 196 158, 232 238 236")
RIVER, SILT, SHALLOW, GREEN, DEEP = parse_colours("44 74 84, 96 108 92, 66 132 136, 84 124 108, 18 50 82")
(HAZE,) = parse_colours("196 208 220")

_PLOTS = 64  # house plots repeat after this many, far outside the tile


def paint_fields(scene: PaintedScene, crops: Array, angle: float, levels: int) -> None:
    """``2**levels`` parcels in the colours ``crops``, separated by hedges or tracks.

    Parcels are the leaves of a random k-d tree: a square is cut ``levels`` times, each part across one of its axes,
    mostly the longer one, at 30 to 70 % of its length. ``leaf`` is the part of each sample, ``edge`` its distance to
    the nearest cut. Slightly curved axes keep the borders from being straight.
    """
    bend = scene.uniform(0, 0.012)
    axes = np.stack([axis + bend * scene.noise(3) for axis in scene.rotated_axes(angle)]).reshape(2, -1)
    # The bounds of each part along both axes.
    lower = np.full((1, 2), -0.8)
    upper = np.full((1, 2), 0.8)
    samples = axes.shape[1]
    sample = np.arange(samples)
    leaf = np.zeros(samples, np.int64)
    edge = np.ones(samples, np.float32)
    for _ in range(levels):
        extent = upper - lower
        part = np.arange(len(extent))
        axis = (extent * scene.rng.uniform(0.6, 1.4, extent.shape)).argmax(1)
        cut = lower[part, axis] + extent[part, axis] * scene.rng.uniform(0.3, 0.7, len(part))
        offset = axes[axis[leaf], sample] - cut.astype(np.float32)[leaf]
        edge = np.minimum(edge, np.abs(offset))
        leaf = 2 * leaf + (offset > 0)
        lower, upper = np.repeat(lower, 2, 0), np.repeat(upper, 2, 0)
        upper[2 * part, axis] = cut
        lower[2 * part + 1, axis] = cut
    _paint_crops(scene, crops, axes, leaf, 2**levels)
    hedge = scene.coverage(scene.uniform(0.002, 0.005) - edge.reshape(scene.shape))
    growth = np.clip(0.5 + 0.6 * scene.noise(7), 0, 0.85)
    border, material = (HEDGE, "forest") if scene.rng.random() < 0.7 else (TRACK, "sand")
    scene.paint(hedge * growth, border, material)


def _paint_crops(scene: PaintedScene, crops: Array, axes: Array, leaf: npt.NDArray[np.int64], count: int) -> None:
    """Give each of ``count`` parcels a colour, furrows along one of its axes, and blotches."""
    rng = scene.rng
    crop = rng.choice(len(crops), count, p=rng.dirichlet(np.full(len(crops), 0.8)))
    tint = crops[crop, :, 0, 0] * rng.uniform(0.85, 1.15, (count, 1)) + rng.normal(0, 0.012, (count, 3))
    scene.paint_parcels(leaf.reshape(scene.shape), tint.astype(np.float32))
    along_first = rng.integers(0, 2, count)
    pitch = rng.uniform(100, 280, count)
    depth = rng.uniform(0, 0.07, count) * (rng.random(count) < 0.6)
    furrows = np.sin(np.where(along_first[leaf], axes[0], axes[1]) * pitch.astype(np.float32)[leaf])
    blotch = rng.uniform(0.01, 0.06, count).astype(np.float32)[leaf].reshape(scene.shape)
    scene.shade(1 + (furrows * depth.astype(np.float32)[leaf]).reshape(scene.shape) + blotch * scene.noise(6, 2))


def paint_forest(scene: PaintedScene, where: Array) -> None:
    """Dark, mottled canopy where the surface ``where`` is positive, with a shadow at its edge."""
    mask = scene.coverage(where + np.float32(0.15) * scene.noise(24), 0.12)
    crowns = np.float32(0.13) * scene.noise(40) + np.float32(0.11) * scene.noise(72) + np.float32(0.1) * scene.noise(6)
    scene.shade(1 - np.float32(0.35) * scene.coverage(where + np.float32(0.12), 0.3) * (1 - mask))
    tint = FOREST * scene.uniform(0.85, 1.2) * scene.rng.uniform(0.93, 1.07, (3, 1, 1)).astype(np.float32)
    scene.paint(mask, tint * (1 + crowns), "forest")


def paint_river(scene: PaintedScene, angle: float) -> None:
    """A meandering river of varying width, with forest along it and sand at the inner banks of its bends.

    Its middle line is a sum of three sines; the distance from it is divided by the slope, which keeps the width
    constant.
    """
    u, v = scene.rotated_axes(angle)
    turns = scene.uniform(3, 7) * np.array([1, 2.1, 3.7], np.float32).reshape(3, 1, 1)
    swing = (scene.rng.uniform(0.4, 1, 3) * [0.13, 0.035, 0.01]).astype(np.float32).reshape(3, 1, 1)
    bends = turns * u + scene.rng.uniform(0, 2 * np.pi, (3, 1, 1)).astype(np.float32)
    middle = (swing * np.sin(bends)).sum(0) + scene.uniform(-0.15, 0.15)
    slope = (swing * turns * np.cos(bends)).sum(0)
    half = scene.uniform(0.018, 0.06) * (1 + np.float32(0.3) * np.sin(scene.uniform(5, 12) * u + scene.uniform(0, 6)))
    offset = (v - middle) / np.sqrt(1 + slope**2)
    dry = np.abs(offset) - half
    paint_forest(scene, (scene.uniform(0, 0.06) - dry) * 8 + np.float32(0.7) * scene.noise(9) - np.float32(0.3))
    inside = -np.sin(bends[0]) * np.sign(offset)  # positive on the inner side of a bend
    scene.paint(scene.coverage(np.float32(0.016) * inside - np.abs(dry), 0.004), SAND, "sand")
    water = RIVER + scene.uniform(0, 1) * (SILT - RIVER)
    shoal = np.float32(0.15) * scene.coverage(dry + np.float32(0.012), 0.02)
    scene.paint(scene.coverage(-dry), water * (1 + np.float32(0.04) * scene.noise(12) + shoal), "water")


def paint_road(scene: PaintedScene, angle: float, offset: float, width: float, paved: bool = True) -> None:
    """A nearly straight road with darker verges, or where not ``paved`` a track of sand."""
    u, v = scene.rotated_axes(angle)
    bow = scene.uniform(-0.04, 0.04) * np.sin(scene.uniform(1, 5) * u + scene.uniform(0, 6))
    distance = np.abs(v - np.float32(offset) - bow)
    scene.shade(1 - np.float32(0.25) * scene.coverage(np.float32(width) - distance, 0.004))
    colour, material = (ROAD, "road") if paved else (TRACK, "sand")
    scene.paint(scene.coverage(np.float32(width / 2) - distance) * np.float32(0.9), colour, material)
    scene.roads.append("road" if paved else "track")


def paint_village(scene: PaintedScene, angle: float, centre: tuple[float, float], radius: float) -> None:
    """Houses with bright roofs and shadows, in blocks between streets, around ``centre`` in the rotated axes."""
    u, v = (axis - np.float32(at) for axis, at in zip(scene.rotated_axes(angle), centre, strict=True))
    inside = np.float32(radius) * (1 + np.float32(0.35) * scene.noise(6)) - np.hypot(u, v * scene.uniform(0.8, 1.5))
    scene.paint(
        scene.coverage(inside, 0.05) * np.float32(0.75), MEADOW * (1 + np.float32(0.15) * scene.noise(36)), "grass"
    )
    plot = scene.uniform(0.026, 0.036)
    u, v = u / plot, v / plot
    street = np.minimum(np.abs(u - 4 * np.round(u / 4)), np.abs(v - 2 * np.round(v / 2)))
    scene.paint(
        scene.coverage(inside) * scene.coverage((np.float32(0.12) - street) * plot) * np.float32(0.8), ROAD, "road"
    )
    _paint_houses(scene, u, v, plot, inside > 0)


def _paint_houses(scene: PaintedScene, u: Array, v: Array, plot: np.float32, inside: npt.NDArray[np.bool_]) -> None:
    """A house on most unit plots of the axes ``u`` and ``v``, each with a shadow on one side."""
    rng = scene.rng
    count = _PLOTS**2
    i, j = np.floor(u), np.floor(v)
    cell = (i % _PLOTS * _PLOTS + j % _PLOTS).astype(np.int64)
    size = rng.uniform(0.2, 0.36, (2, count)).astype(np.float32)[:, cell]
    shift = rng.uniform(0.42, 0.58, (2, count)).astype(np.float32)[:, cell]
    built = (rng.random(count) < rng.uniform(0.65, 0.95))[cell] & inside
    roofs = ROOFS[rng.choice(len(ROOFS), count, p=rng.dirichlet(np.full(len(ROOFS), 2))), :, 0, 0].T
    du, dv = u - i - shift[0], v - j - shift[1]

    def house(by: float) -> Array:
        inner = np.minimum(size[0] - np.abs(du - np.float32(by)), size[1] - np.abs(dv - np.float32(by)))
        return scene.coverage(np.where(built, inner * plot, np.float32(-1)))

    scene.shade(1 - np.float32(0.5) * house(0.14))
    scene.paint(house(0), roofs[:, cell] * (1 + np.float32(0.12) * np.sign(du)), "roof")


def paint_coast(scene: PaintedScene, angle: float, offset: float) -> None:
    """Sea beyond an irregular shore line, with shallow water, surf and a beach."""
    _, v = scene.rotated_axes(angle)
    ragged = scene.uniform(0.01, 0.035)
    shore = v + np.float32(offset) + np.float32(0.06) * scene.noise(2) + ragged * scene.noise(5, 4)
    beach = scene.uniform(0.006, 0.03)
    scene.paint(
        scene.coverage(np.float32(2.2) * beach - shore, 0.03) * np.float32(0.55), MEADOW * np.float32(1.05), "grass"
    )
    scene.paint(scene.coverage(beach - shore, 0.008), SAND, "sand")
    deep = np.clip(np.float32(0.08) * scene.noise(5) - shore / scene.uniform(0.1, 0.4), 0, 1) ** np.float32(0.6)
    shallow = SHALLOW + scene.uniform(0, 1) * (GREEN - SHALLOW)
    waves = 1 + np.float32(0.03) * (scene.noise(28) + scene.noise(64))
    scene.paint(scene.coverage(-shore), (shallow + deep * (DEEP * scene.uniform(0.8, 1.4) - shallow)) * waves, "water")
    surf = scene.coverage(np.float32(0.006) - np.abs(shore + np.float32(0.006)), 0.006)
    scene.paint(surf * np.clip(0.35 + 0.5 * scene.noise(16), 0, 0.9), SURF, "surf")


def add_illumination(scene: PaintedScene) -> None:
    """Illumination that changes across the scene, weak relief, fine grain and haze."""
    u, _ = scene.rotated_axes(scene.rng.uniform(0, 2 * np.pi))
    relief = np.float32(0.025) * scene.noise(4) + np.float32(0.015) * scene.noise(80)
    scene.shade(scene.uniform(0.94, 1.1) * (1 + scene.uniform(0, 0.14) * u + relief))
    haze = scene.uniform(0.02, 0.14) * np.ones((1, 1), np.float32)
    scene.paint(haze, HAZE)
