"""Normalisation of radiance: the range of values that becomes [0, 1], of a whole sensor or of each band, stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import F32
from rsforge.errors import RsforgeError

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """The values ``low`` become 0 and ``high`` 1, linearly; one of each for a sensor, or one of each a band.

    ``percentiles`` of the training side they are. With ``clip`` what lies outside is cut off by ``normalise``; without,
    outputs reach as far as the data do. A band without any spread is only shifted. RSF-D010 for a range that is
    reversed or not finite.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    percentiles: tuple[float, float] = (1.0, 99.0)
    clip: bool = False

    def __post_init__(self) -> None:
        low, high = np.array(self.low, float), np.array(self.high, float)
        if low.shape != high.shape or not low.size or not np.isfinite([low, high]).all() or (high < low).any():
            found = f"{self.low[:3]} to {self.high[:3]}"
            raise RsforgeError("RSF-D010", "a normalisation needs a finite low below a high", found=found)

    @property
    def bands(self) -> int | None:
        """The number of bands, None where one range is for all."""
        return len(self.low) if len(self.low) > 1 else None

    def gain_and_offset(self) -> tuple[F64, F64]:
        """``(n,)`` each, n 1 or the number of bands: a normalised value is ``value * gain + offset``."""
        low, high = np.array(self.low), np.array(self.high)
        gain = 1 / np.where(high > low, high - low, 1)
        return gain, -low * gain

    def normalise(self, values: npt.NDArray[Any]) -> F32:
        """``values (..., C)`` as float32, mostly in [0, 1]."""
        gain, offset = self.gain_and_offset()
        unit: F32 = values.astype(np.float32)  # a copy, then changed in place: crops of hundreds of bands are large
        unit *= gain.astype(np.float32)
        unit += offset.astype(np.float32)
        return unit.clip(0, 1, out=unit) if self.clip else unit

    def denormalise(self, unit: npt.NDArray[Any]) -> F32:
        """The inverse of ``normalise``, but for what it clipped."""
        gain, offset = self.gain_and_offset()
        values: F32 = ((unit - offset) / gain).astype(np.float32)
        return values

    def as_dict(self) -> dict[str, Any]:
        return {
            "low": list(self.low),
            "high": list(self.high),
            "percentiles": list(self.percentiles),
            "clip": self.clip,
        }

    @classmethod
    def from_dict(cls, record: Any, *, where: str = "") -> Scaling:
        """The scaling stored in a checkpoint; RSF-D006 when it is damaged."""
        try:
            low, high, shares = (tuple(float(v) for v in record[key]) for key in ("low", "high", "percentiles"))
            first, second = shares
            return cls(low, high, (first, second), bool(record["clip"]))
        except (KeyError, TypeError, ValueError, RsforgeError):
            found = repr(record)[:200]
            raise RsforgeError("RSF-D006", "the stored normalisation is damaged", where=where, found=found) from None
