"""The unit of SAR values and the range of them that becomes [-1, 1]: declared or inferred, stored, enforced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from rsforge.errors import RsforgeError

Unit = Literal["db", "linear", "dn", "uint8"]
UNITS: tuple[Unit, ...] = get_args(Unit)
CLIP_DB = (-25.0, 0.0)  # holds sigma0 of land at C band, VV
_CREDIBLE_DB = (-100.0, 60.0)
_LARGEST_LINEAR = 1000.0
_MAX_ODD = 0.01  # share of values that may contradict the unit
_MANY = 1024  # pixels; in fewer, bright roofs alone may give no negative decibel


@dataclass(frozen=True)
class Radiometry:
    """``unit`` of the values and the range [low, high] that becomes [-1, 1].

    ``db``: sigma0 in decibels. ``linear``: sigma0 as power, converted to decibels first; its range is in decibels.
    ``dn``: digital numbers or amplitudes from 0. ``uint8``: an 8-bit image. RSF-D010 for another unit or an empty
    range.
    """

    unit: Unit
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.unit not in UNITS or not -np.inf < self.low < self.high < np.inf:
            found = f"{self.unit} {self.low} {self.high}"
            raise RsforgeError("RSF-D010", "the radiometry needs a unit and a low below a high", found=found)

    def to_unit(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """``values`` of any shape as float32 in [-1, 1]; values outside the range are clipped, NaN becomes -1."""
        x = values.astype(np.float32)
        if self.unit == "linear":
            with np.errstate(divide="ignore", invalid="ignore"):
                x = 10 * np.log10(x)
        x = np.nan_to_num((x - self.low) / (self.high - self.low), nan=0.0, posinf=1.0, neginf=0.0)
        unit: npt.NDArray[np.float32] = np.clip(x, 0, 1) * 2 - 1
        return unit

    def from_unit(self, unit: npt.NDArray[np.floating[Any]]) -> npt.NDArray[Any]:
        """The inverse of ``to_unit`` within the range: float32, for ``uint8`` rounded to uint8."""
        x: npt.NDArray[np.float32] = unit.astype(np.float32)
        np.clip(x, -1, 1, out=x)  # in place: strips of scenes are large
        x += 1
        x *= (self.high - self.low) / 2
        x += self.low
        if self.unit == "uint8":
            return np.rint(x, out=x).clip(0, 255, out=x).astype(np.uint8)
        return np.power(np.float32(10), x / 10) if self.unit == "linear" else x

    def as_dict(self) -> dict[str, Any]:
        return {"unit": self.unit, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, card: Any, *, where: str = "") -> Radiometry:
        """The radiometry stored in a card or checkpoint; RSF-D006 when it is damaged."""
        try:
            return cls(card["unit"], float(card["low"]), float(card["high"]))
        except (KeyError, TypeError, ValueError, RsforgeError):
            found = repr(card)[:200]
            raise RsforgeError("RSF-D006", "the stored radiometry is damaged", where=where, found=found) from None


EIGHT_BIT = Radiometry("uint8", 0.0, 255.0)


def declare_radiometry(unit: Unit, clip: tuple[float, float] | None, high: float) -> Radiometry:
    """The radiometry of a declared unit; without ``clip`` the usual range of the unit, for ``dn`` 0 to ``high``."""
    windows = {"db": CLIP_DB, "linear": CLIP_DB, "uint8": (0.0, 255.0), "dn": (0.0, max(float(high), 1.0))}
    return Radiometry(unit, *(clip or windows[unit]))


def infer_radiometry(dtype: str, low: float, high: float) -> tuple[Radiometry, str]:
    """The radiometry of values of ``dtype`` between about ``low`` and ``high``, and a sentence that says why.

    RSF-D010 when no unit fits, or the values are not finite.
    """
    kind = np.dtype(dtype)
    extent = f"{dtype} values from {low:.4g} to {high:.4g}"
    if kind == np.uint8:
        unit = "uint8"
        why = "they are 8-bit pictures"
    elif low < 0 and low >= _CREDIBLE_DB[0] and high <= _CREDIBLE_DB[1]:
        unit = "db"
        why = "they lie where decibels do"
    elif low >= 0 and kind.kind == "f" and high <= _LARGEST_LINEAR:
        unit = "linear"
        why = "they are small and none is negative"
    elif low >= 0 and np.isfinite(high):
        unit = "dn"
        why = "none is negative and they are large"
    else:
        raise RsforgeError("RSF-D010", "the unit of the SAR values cannot be inferred", found=extent)
    radiometry = declare_radiometry(_as_unit(unit), None, high)
    window = f"{radiometry.low:g} to {radiometry.high:g}{' dB' if unit in ('db', 'linear') else ''}"
    return radiometry, f"{extent} are read as {unit}: {why}; kept from {window}"


def value_extent(samples: Sequence[npt.NDArray[Any]]) -> tuple[float, float]:
    """The 0.1 and 99.9 percentiles of all samples; zeros where there are no values."""
    values = np.concatenate([sample.ravel() for sample in samples])
    if not values.size:
        return 0.0, 0.0
    low, high = np.percentile(values, [0.1, 99.9])
    return float(low), float(high)


def _as_unit(word: str) -> Unit:
    return next(unit for unit in UNITS if unit == word)


def settle_radiometry(
    unit: Unit | Literal["auto"], clip: tuple[float, float] | None, dtype: str, low: float, high: float
) -> tuple[Radiometry, str]:
    """The declared radiometry, or the inferred one for ``auto``, with the range ``clip``; and a sentence about it."""
    if unit == "auto":
        radiometry, why = infer_radiometry(dtype, low, high)
        if clip is None:
            return radiometry, why
        unit = radiometry.unit
        why = f"{why.split('; kept')[0]}; kept from {clip[0]:g} to {clip[1]:g}"
        return Radiometry(unit, *clip), why
    radiometry = declare_radiometry(unit, clip, high)
    return radiometry, f"declared as {unit}, kept from {radiometry.low:g} to {radiometry.high:g}"


def find_contradiction(radiometry: Radiometry, values: npt.NDArray[Any]) -> str:
    """Why ``values`` cannot be in the unit, as a clause; empty when they can.

    One percent of the values may contradict it: thermal noise removal leaves some negative powers.
    """
    unit = radiometry.unit
    kind = values.dtype.kind
    x = values[np.isfinite(values)] if kind == "f" else values
    if (unit == "uint8") != (values.dtype == np.uint8) and unit != "dn":
        return f"{values.dtype} values are not {unit}"
    if unit == "uint8" or x.size == 0:
        return ""
    negative = float(np.mean(x < 0))
    if unit in ("linear", "dn") and negative > _MAX_ODD:
        return f"{negative:.0%} of the values are negative, as {unit} values never are"
    if unit == "linear" and (kind != "f" or np.median(x) > _LARGEST_LINEAR):
        return f"{values.dtype} values around {np.median(x):.4g} are no powers"
    if unit == "db":
        return _contradict_decibels(x, negative)
    return ""


def _contradict_decibels(x: npt.NDArray[Any], negative: float) -> str:
    middle = float(np.median(x))
    if x.dtype.kind == "u" or not _CREDIBLE_DB[0] <= middle <= _CREDIBLE_DB[1]:
        return f"{x.dtype} values around {middle:.4g} are no decibels"
    if negative == 0 and x.size >= _MANY and x.max() > 0:
        return "none of the values is negative, as most decibels of land are"
    return ""


def check_values(radiometry: Radiometry, values: npt.NDArray[Any], *, where: str = "", fix: str = "") -> None:
    """RSF-D010 when ``values``, without nodata, contradict the unit."""
    reason = find_contradiction(radiometry, values)
    if reason:
        what = f"the values are not in the unit {radiometry.unit}"
        raise RsforgeError("RSF-D010", what, where=where, found=reason, fix=fix)
