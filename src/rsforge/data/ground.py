"""A tile being painted: smooth noise, turned axes and soft edges, the same at any size."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

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


def _stretched(lattice: Array, samples: int) -> Array:
    """The rows ``(cells + 3, ...)`` of a spline's lattice as ``(samples, ...)`` rows of the spline."""
    # Four plain sums: a matrix product would wake the threads of the linear algebra library for nothing.
    cell, weights = _spline(samples, len(lattice) - 3)
    rows: Array = sum(
        (weights[k][:, None] * lattice[cell + k] for k in range(1, 4)), weights[0][:, None] * lattice[cell]
    )
    return rows


class Ground:
    """A square of side 1 around the origin, painted in ``rgb`` ``(3, n, n)``, two samples per pixel and side.

    Random draws never depend on ``size``, so one generator state gives one scene at every size.
    """

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.rng, self.n = rng, 2 * size
        axis = ((np.arange(self.n) + 0.5) / self.n - 0.5).astype(np.float32)
        self.x, self.y = axis[None, :], axis[:, None]
        self.rgb = np.zeros((3, self.n, self.n), np.float32)

    def uniform(self, low: float, high: float) -> np.float32:
        return np.float32(self.rng.uniform(low, high))

    def noise(self, cells: int, octaves: int = 1) -> Array:
        """Smooth noise ``(n, n)`` of about unit variance, ``cells`` bumps a side; further octaves halve both."""
        total = np.zeros((self.n, self.n), np.float32)
        for k in range(octaves):
            side = cells * 2**k
            lattice = self.rng.standard_normal((side + 3, side + 3), np.float32) * np.float32(_UNIT / 2**k)
            total += _stretched(_stretched(lattice, self.n).T, self.n)
        return total

    def turned(self, angle_rad: float) -> tuple[Array, Array]:
        """Coordinates ``u`` along and ``v`` across a direction."""
        c, s = np.float32(np.cos(angle_rad)), np.float32(np.sin(angle_rad))
        return c * self.x + s * self.y, c * self.y - s * self.x

    def cover(self, inside: Array, softness: float = 0.0) -> Array:
        """How much of each sample lies where ``inside``, a distance from the outline, is positive."""
        covered: Array = np.clip(inside / np.float32(max(softness, 1 / self.n)) + np.float32(0.5), 0, 1)
        return covered

    def paint(self, mask: Array, colour: Array) -> None:
        """Blend ``colour`` ``(3, 1, 1)`` or ``(3, n, n)`` over the ground by ``mask`` in [0, 1]."""
        self.rgb += mask * (colour - self.rgb)

    def shade(self, gain: Array) -> None:
        self.rgb *= gain

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The tile ``(size, size, 3)``, each pixel the mean of its four samples."""
        size = self.n // 2
        mean = self.rgb.reshape(3, size, 2, size, 2).mean(axis=(2, 4))
        return np.ascontiguousarray((np.clip(mean, 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
