"""Resampling between grids whose pixel sizes have any rational ratio, with aligned edges.

Both grids begin at the same upper left edge: coarse pixel ``i`` covers fine coordinates ``[i f, (i + 1) f)``. Grids
that align the centres of their corner pixels instead would be shifted by up to half a pixel.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def coarse_count(fine: int, factor: Fraction) -> int:
    """The number of whole coarse pixels in ``fine`` pixels: 34 of width 15/2 in 256."""
    return math.floor(fine / factor)


def area_weights(fine: int, factor: Fraction) -> F64:
    """Weights ``(coarse, fine)`` of exact area means, rows of sum 1; a coarse pixel is ``factor`` >= 1 fine ones."""
    if factor < 1:
        raise ValueError(f"a coarse pixel is at least one fine pixel wide, not {factor}")
    weights = np.zeros((coarse_count(fine, factor), fine))
    for i in range(len(weights)):
        low = i * factor
        high = (i + 1) * factor
        for j in range(math.floor(low), math.ceil(high)):
            weights[i, j] = float((min(high, Fraction(j + 1)) - max(low, Fraction(j))) / factor)
    return weights


def cubic_weights(coarse: int, fine: int, factor: Fraction) -> F64:
    """Weights ``(fine, coarse)`` of cubic interpolation at fine pixel centres (Keys 1981, a = -1/2), edges extended.

    Fine pixel ``j`` has its centre at coarse coordinate ``(j + 1/2) / f - 1/2``; rows sum to 1.
    """
    weights = np.zeros((fine, coarse))
    for j in range(fine):
        at = (Fraction(2 * j + 1) / factor - 1) / 2
        first = math.floor(at) - 1
        for i in range(first, first + 4):
            weights[j, min(max(i, 0), coarse - 1)] += _keys_kernel(abs(float(at - i)))
    return weights


def _keys_kernel(distance: float) -> float:
    """The cubic convolution kernel of Keys 1981 with a = -1/2; ``distance`` is in coarse pixels."""
    if distance < 1:
        return (1.5 * distance - 2.5) * distance**2 + 1
    if distance < 2:
        return ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return 0.0


def apply_along(rows: F64, cols: F64, image: npt.NDArray[Any]) -> F64:
    """``image (h, w, C)`` with ``rows (h', h)`` and ``cols (w', w)`` applied along its first two axes."""
    across = np.tensordot(rows, image, axes=(1, 0))
    return np.ascontiguousarray(np.moveaxis(np.tensordot(cols, across, axes=(1, 1)), 0, 1))


def area_mean(image: npt.NDArray[Any], valid: Mask, rows: F64, cols: F64) -> tuple[F64, F64]:
    """Means ``(h', w', C)`` over the valid pixels of each coarse one, and their share ``(h', w')`` of its area.

    Where no pixel is valid the mean is that of all valid pixels of the image, the share 0.
    """
    share = apply_along(rows, cols, valid[..., None].astype(float))
    sums = apply_along(rows, cols, np.where(valid[..., None], image, 0).astype(float))
    covered = share > 1e-9
    overall_mean = image[valid].mean(axis=0, dtype=float) if valid.any() else np.zeros(image.shape[2])
    means = np.where(covered, sums / np.where(covered, share, 1), overall_mean)
    return means, share[..., 0]
