"""A square scene to paint: smooth noise, rotated axes, soft masks, and the materials of every sample.

Everything is a function of continuous coordinates in a square of side 1, sampled twice per pixel and axis and averaged
at the end. Random numbers are drawn for lattices and parameters only, never per sample. One generator state therefore
gives the same scene at every size, and a strip of rows equals the same rows of the whole.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

MATERIALS = ("crop", "soil", "grass", "forest", "water", "sand", "surf", "road", "roof")
_UNIT = np.float32(2.09)  # a cubic B-spline surface has 0.479 of the standard deviation of its lattice


def parse_colours(table: str) -> Array:
    """RGB triples such as ``"62 92 44, 84 114 54"`` as ``(count, 3, 1, 1)`` in [0, 1]."""
    rows = np.array([[int(channel) for channel in row.split()] for row in table.split(",")], np.float32)
    return (rows / np.float32(255))[:, :, None, None]


@functools.lru_cache(maxsize=64)
def _spline_weights(samples: int, cells: int) -> tuple[npt.NDArray[np.int64], Array]:
    """The cell of each sample centre, and the weights ``(4, samples)`` of the uniform cubic B-spline there."""
    position = (np.arange(samples) + 0.5) / samples * cells
    cell = position.astype(np.int64)
    f = position - cell
    weights = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    return cell, (np.stack(weights) / 6).astype(np.float32)


def _evaluate_spline(lattice: Array, samples: int, part: slice) -> Array:
    """The spline with the lattice ``(cells + 3, ...)``, evaluated at the ``part`` of its ``samples`` rows."""
    # Four weighted sums: the matrix product of the linear algebra library would start threads for little work.
    cell, weights = _spline_weights(samples, len(lattice) - 3)
    cell = cell[part]
    weights = weights[:, part]
    rows: Array = sum(
        (weights[k][:, None] * lattice[cell + k] for k in range(1, 4)), weights[0][:, None] * lattice[cell]
    )
    return rows


class PaintedScene:
    """A square of side 1 around the origin, painted in ``rgb (3, rows, n)`` with ``n`` = 2 ``size`` samples a side.

    ``rows`` limits it to a strip of pixel rows. With ``record`` the scene also keeps the shares of materials at each
    sample, ``shares (len(MATERIALS), rows, n)``, which sum to 1 where something was painted, and the ``parcel (rows,
    n)`` of each sample. ``roads`` lists roads and tracks, ``kind`` is the kind of scene.
    """

    def __init__(self, rng: np.random.Generator, size: int, rows: slice | None = None, record: bool = False) -> None:
        self.rng = rng
        self.n = 2 * size
        self.rows = slice(0, self.n) if rows is None else slice(2 * rows.start, 2 * rows.stop)
        axis = ((np.arange(self.n) + 0.5) / self.n - 0.5).astype(np.float32)
        self.x = axis[None, :]
        self.y = axis[self.rows, None]
        self.shape = (len(self.y), self.n)
        self.rgb = np.zeros((3, *self.shape), np.float32)
        self.shares = np.zeros((len(MATERIALS) if record else 0, *self.shape), np.float32)
        self.parcel = np.zeros(self.shape, np.int64)
        self.kind = ""
        self.roads: list[str] = []

    def uniform(self, low: float, high: float) -> np.float32:
        return np.float32(self.rng.uniform(low, high))

    def noise(self, cells: int, octaves: int = 1, rng: np.random.Generator | None = None) -> Array:
        """Smooth noise ``(rows, n)`` of about unit variance, with ``cells`` lattice cells a side.

        Each further octave has twice the cells and half the amplitude. ``rng`` replaces the generator of the scene.
        """
        total = np.zeros(self.shape, np.float32)
        for k in range(octaves):
            size = cells * 2**k
            lattice = (rng or self.rng).standard_normal((size + 3, size + 3), np.float32) * np.float32(_UNIT / 2**k)
            total += _evaluate_spline(_evaluate_spline(lattice, self.n, slice(None)).T, self.n, self.rows)
        return total

    def rotated_axes(self, angle_rad: float) -> tuple[Array, Array]:
        """The coordinates ``u`` along and ``v`` across a direction."""
        c, s = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
        return c * self.x + s * self.y, c * self.y - s * self.x

    def coverage(self, inside: Array, softness: float = 0.0) -> Array:
        """The share of each sample inside an outline; ``inside`` is the distance from it, positive inside."""
        covered: Array = np.clip(inside / np.float32(max(softness, 1 / self.n)) + np.float32(0.5), 0, 1)
        return covered

    def paint(self, mask: Array, colour: Array, material: str = "") -> None:
        """Blend ``colour (3, 1, 1)`` or ``(3, rows, n)`` over the scene by ``mask`` in [0, 1]; it is ``material``."""
        self.rgb += mask * (colour - self.rgb)
        if material and len(self.shares):
            self.shares *= 1 - mask
            self.shares[MATERIALS.index(material)] += mask

    def paint_parcels(self, parcel: npt.NDArray[np.int64], tint: Array) -> None:
        """Cover everything with parcels ``(rows, n)`` of colours ``tint (count, 3)``: crop where green, else soil."""
        self.rgb[:] = tint.T[:, parcel]
        if len(self.shares):
            crop = np.clip((tint @ np.array([-1, 2, -1], np.float32)) / np.float32(0.3), 0, 1)[parcel]
            self.parcel = parcel
            self.shares[:] = 0
            self.shares[MATERIALS.index("crop")] = crop
            self.shares[MATERIALS.index("soil")] = 1 - crop

    def shade(self, gain: Array) -> None:
        """Multiply the brightness by ``gain``."""
        self.rgb *= gain

    def material_share(self, *materials: str) -> Array:
        """The share of each sample ``(rows, n)`` that is one of ``materials``."""
        total: Array = self.shares[[MATERIALS.index(name) for name in materials]].sum(0)
        return total

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The image ``(rows, size, 3)``, each pixel the mean of its four samples."""
        mean = pool_samples(self.rgb)
        return np.ascontiguousarray((np.clip(mean, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def pool_samples(samples: Array) -> Array:
    """Pixels ``(..., H, W)`` from samples ``(..., 2 H, 2 W)``, each the mean of four."""
    *stack, height, width = samples.shape
    mean: Array = samples.reshape(*stack, height // 2, 2, width // 2, 2).mean(axis=(-3, -1))
    return mean
