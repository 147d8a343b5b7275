"""Spectra of one value in every band, which nobody measured: what lies outside a strip."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.io.windows import Window

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

FEWEST_BANDS = 8
"""Spectra of fewer bands can be even, or zero, by chance."""

LEAST_SHARE = 0.02  # of the pixels that are looked at
SIDE, PLACES = 32, 4
DIGITS = 1e-5  # of a value, of which six digits are told


def find_empty_spectra(stored: Array, fill: float | None) -> dict[float, Mask] | None:
    """The pixels ``(h, w)`` of stored values ``(h, w, B)`` that are 0 in every band, or ``fill``, by value.

    None where there are none. Zeros in fewer than ``FEWEST_BANDS`` bands are measurements.
    """
    values = {0.0} if stored.shape[2] >= FEWEST_BANDS else set()
    values |= set() if fill is None else {fill}
    if not values or not stored.size:
        return None
    first = stored[..., 0]
    found = {}
    for value in values:
        pixels: Mask = np.asarray(first == value)
        if pixels.any():
            pixels[pixels] = (stored[pixels] == stored.dtype.type(value)).all(axis=1)
        if pixels.any():
            found[value] = pixels
    return found or None


def find_same_spectra(values: Array, fill: float) -> Mask:
    """The pixels ``(h, w)`` of float32 ``values (h, w, B)`` that are ``fill``, to the digits it is written with."""
    pixels: Mask = np.isclose(values[..., 0], fill, rtol=DIGITS, atol=0)
    if pixels.any():
        pixels[pixels] = np.isclose(values[pixels], fill, rtol=DIGITS, atol=0).all(axis=1)
    return pixels


def list_samples(height: int, width: int) -> list[Window]:
    """Up to 16 windows of at most 32 x 32 pixels, spread over a cube from edge to edge."""
    size = min(SIDE, height, width)
    rows, cols = (
        sorted({int(share * (side - size)) for share in np.linspace(0, 1, PLACES)}) for side in (height, width)
    )
    return [Window(row, col, size, size) for row, col in itertools.product(rows, cols)]


class EvenSpectra:
    """Counts the values that stand in every band of a pixel, over windows of stored values."""

    def __init__(self) -> None:
        self.pixels, self.values = 0, Counter[float]()

    def add(self, stored: Array) -> None:
        """Count the pixels of ``stored (h, w, B)``."""
        self.pixels += stored.shape[0] * stored.shape[1]
        if stored.shape[2] >= FEWEST_BANDS:
            even = (stored == stored[..., :1]).all(axis=2)
            self.values.update(stored[..., 0][even].astype(float).tolist())

    def find_fill(self) -> float | None:
        """The value other than 0 that a share of the pixels, and not all of them, have in every band; None for none."""
        frequent = [(count, value) for value, count in self.values.items() if value and np.isfinite(value)]
        count, value = max(frequent, default=(0, 0.0))
        return value if LEAST_SHARE * self.pixels <= count < self.pixels and count else None
