"""Ground being painted: smooth noise, turned axes, soft edges, and what it is made of, the same at any size."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

MATERIALS = ("crop", "soil", "grass", "forest", "water", "sand", "surf", "road", "roof")
_UNIT = np.float32(2.09)  # a cubic B-spline surface keeps 0.479 of its lattice's standard deviation


def colours(table: str) -> Array:
    """RGB triples such as ``"62 92 44, 84 114 54"`` as ``(count, 3, 1, 1)`` in [0, 1]."""
    rows = np.array([[int(channel) for channel in row.split()] for row in table.split(",")], np.float32)
    return (rows / np.float32(255))[:, :, None, None]


@functools.lru_cache(maxsize=64)
def _spline(samples: int, cells: int) -> tuple[npt.NDArray[np.int64], Array]:
    """The cell of each sample centre and the four uniform cubic B-spline weights ``(4, samples)`` in it."""
    position = (np.arange(samples) + 0.5) / samples * cells
    cell = position.astype(np.int64)
    f = position - cell
    four = ((1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3)
    return cell, (np.stack(four) / 6).astype(np.float32)


def _stretched(lattice: Array, samples: int, part: slice) -> Array:
    """The rows ``(cells + 3, ...)`` of a spline's lattice as the ``part`` of its ``(samples, ...)`` rows."""
    # Four plain sums: a matrix product would wake the threads of the linear algebra library for nothing.
    cell, weights = _spline(samples, len(lattice) - 3)
    cell, weights = cell[part], weights[:, part]
    rows: Array = sum(
        (weights[k][:, None] * lattice[cell + k] for k in range(1, 4)), weights[0][:, None] * lattice[cell]
    )
    return rows


class Ground:
    """A square of side 1 around the origin, painted in ``rgb`` ``(3, rows, n)``, two samples per pixel and side.

    ``rows`` takes a strip of its pixel rows alone. Random draws depend on neither ``size`` nor ``rows``, so one
    generator state gives one scene at every size, whole or in strips. With ``record`` the ground also knows its
    ``shares`` ``(len(MATERIALS), rows, n)``, which sum to 1 where something lies, the ``parcel`` ``(rows, n)`` of each
    sample, and in ``laid`` the roads and tracks; ``kind`` is that of the scene.
    """

    def __init__(self, rng: np.random.Generator, size: int, rows: slice | None = None, record: bool = False) -> None:
        self.rng, self.n = rng, 2 * size
        self.rows = slice(0, self.n) if rows is None else slice(2 * rows.start, 2 * rows.stop)
        axis = ((np.arange(self.n) + 0.5) / self.n - 0.5).astype(np.float32)
        self.x, self.y = axis[None, :], axis[self.rows, None]
        self.shape = (len(self.y), self.n)
        self.rgb = np.zeros((3, *self.shape), np.float32)
        self.shares = np.zeros((len(MATERIALS) if record else 0, *self.shape), np.float32)
        self.parcel = np.zeros(self.shape, np.int64)
        self.kind, self.laid = "", list[str]()

    def uniform(self, low: float, high: float) -> np.float32:
        return np.float32(self.rng.uniform(low, high))

    def noise(self, cells: int, octaves: int = 1, rng: np.random.Generator | None = None) -> Array:
        """Smooth noise ``(rows, n)`` of about unit variance, ``cells`` bumps a side; further octaves halve both.

        Drawn from the own generator, or from another ``rng``.
        """
        total = np.zeros(self.shape, np.float32)
        for k in range(octaves):
            side = cells * 2**k
            lattice = (rng or self.rng).standard_normal((side + 3, side + 3), np.float32) * np.float32(_UNIT / 2**k)
            total += _stretched(_stretched(lattice, self.n, slice(None)).T, self.n, self.rows)
        return total

    def turned(self, angle_rad: float) -> tuple[Array, Array]:
        """Coordinates ``u`` along and ``v`` across a direction."""
        c, s = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
        return c * self.x + s * self.y, c * self.y - s * self.x

    def cover(self, inside: Array, softness: float = 0.0) -> Array:
        """How much of each sample lies where ``inside``, a distance from the outline, is positive."""
        covered: Array = np.clip(inside / np.float32(max(softness, 1 / self.n)) + np.float32(0.5), 0, 1)
        return covered

    def paint(self, mask: Array, colour: Array, material: str = "") -> None:
        """Blend ``colour`` ``(3, 1, 1)`` or ``(3, rows, n)``, a ``material``, over the ground by ``mask`` in [0, 1]."""
        self.rgb += mask * (colour - self.rgb)
        if material and len(self.shares):
            self.shares *= 1 - mask
            self.shares[MATERIALS.index(material)] += mask

    def sow(self, parcel: npt.NDArray[np.int64], tint: Array) -> None:
        """Cover all by parcels ``(rows, n)`` of the colours ``(count, 3)``: the greener, the more crop on the soil."""
        self.rgb[:] = tint.T[:, parcel]
        if len(self.shares):
            crop = np.clip((tint @ np.array([-1, 2, -1], np.float32)) / np.float32(0.3), 0, 1)[parcel]
            self.parcel, self.shares[:] = parcel, 0
            self.shares[MATERIALS.index("crop")], self.shares[MATERIALS.index("soil")] = crop, 1 - crop

    def shade(self, gain: Array) -> None:
        self.rgb *= gain

    def share(self, *materials: str) -> Array:
        """How much of each sample ``(rows, n)`` is one of ``materials``."""
        total: Array = self.shares[[MATERIALS.index(name) for name in materials]].sum(0)
        return total

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The picture ``(rows, size, 3)``, each pixel the mean of its four samples."""
        mean = pooled(self.rgb)
        return np.ascontiguousarray((np.clip(mean, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))


def pooled(samples: Array) -> Array:
    """``(..., 2 H, 2 W)`` samples as ``(..., H, W)`` pixels, each the mean of its four."""
    *stack, height, width = samples.shape
    mean: Array = samples.reshape(*stack, height // 2, 2, width // 2, 2).mean(axis=(-3, -1))
    return mean
