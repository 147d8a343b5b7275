"""Percentiles of float32 values in one pass over any number of them, in memory that does not grow.

The bits of a float32, read as an unsigned number with the sign made the highest digit, rise with the value. Their upper
digits are therefore the number of a bin, and all bins of one sign and exponent together are as wide as its power of 2:
a histogram with a bounded relative error that needs no range in advance (the idea of HdrHistogram, G. Tene). A value is
known up to its bin, whose width is at most 2^-m of the value, with ``m`` digits of the mantissa: 2^-11 for one
histogram of a sensor, 2^-7 for histograms of each band, of which hundreds must fit into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import F32
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError

SENSOR_BITS = 20
BAND_BITS = 16
_HEAD_BITS = 9  # sign and exponent of a float32
_SLAB = 1 << 23  # values turned into bins at once
_SIGN = np.uint32(1 << 31)
_Keys = npt.NDArray[np.uint32]


def relative_error(per_band: bool) -> float:
    """The largest width of a bin relative to the values in it."""
    return 2.0 ** (_HEAD_BITS - (BAND_BITS if per_band else SENSOR_BITS))


class Percentiles:
    """Percentiles of pixels ``(n, C)`` added bit by bit, over all bands together or ``per_band``.

    8 MiB for a sensor, half a MiB a band. Values must be finite; their order does not matter.
    """

    def __init__(self, bands: int, *, per_band: bool = False) -> None:
        self.per_band = per_band
        self._bits = BAND_BITS if per_band else SENSOR_BITS
        self._counts = np.zeros((bands if per_band else 1, 1 << self._bits), np.int64)

    def add(self, values: F32) -> None:
        """Count pixels ``(n, C)``."""
        rows = max(1, _SLAB // max(values.shape[1], 1))
        for start in range(0, len(values), rows):
            bins = _keys_of(values[start : start + rows]) >> np.uint32(32 - self._bits)
            columns = bins.T if self.per_band else bins.reshape(1, -1)
            for counts, column in zip(self._counts, columns, strict=True):
                counts += np.bincount(column, minlength=counts.size)

    def compute(self, shares: Sequence[float]) -> npt.NDArray[np.float64]:
        """Percentiles ``(len(shares), n)`` of ``shares`` in percent; n is 1 or the bands. RSF-D004 without any value.

        As ``numpy.percentile`` by the method ``lower``, but for the place of the value in its bin: the error is at most
        ``relative_error`` of the value.
        """
        totals = self._counts.sum(axis=1)
        if not totals.all():
            raise RsforgeError("RSF-D004", "there is no valid pixel to measure the range of values on")
        rows = [[_value_at(counts, share) for counts in self._counts] for share in shares]
        return np.array(rows, dtype=float)

    def scaling(self, low: float = 1.0, high: float = 99.0, *, clip: bool = False) -> Scaling:
        """The normalisation between two percentiles."""
        bottom, top = self.compute([low, high])
        return Scaling(tuple(bottom.tolist()), tuple(top.tolist()), (low, high), clip)


def _value_at(counts: npt.NDArray[np.int64], share: float) -> float:
    """The value at ``share`` percent; the values of a bin are taken as evenly spread over it."""
    ends = np.cumsum(counts)
    rank = share / 100 * (int(ends[-1]) - 1)
    place = int(np.searchsorted(ends, rank, side="right"))
    before = int(ends[place - 1]) if place else 0
    within = (rank - before + 0.5) / int(counts[place])
    bits = counts.size.bit_length() - 1
    edges = _values_of(np.array([place, place + 1], np.uint64) << np.uint64(32 - bits))
    return float(edges[0] + min(within, 1.0) * (edges[1] - edges[0]))


def _keys_of(values: F32) -> _Keys:
    """Unsigned numbers in the order of the values."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _values_of(keys: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The inverse of ``_keys_of``; beyond the largest finite number, that number."""
    keys = np.minimum(keys, 0xFFFFFFFF).astype(np.uint32)
    bits = np.where(keys & _SIGN, keys ^ _SIGN, ~keys)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        values: npt.NDArray[np.float64] = bits.view(np.float32).astype(float)
    return np.nan_to_num(values, nan=largest).clip(-largest, largest)
