"""Statistics of one image: ranges of values, invalid, saturated and cloudy shares, and a digest of its pixels."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from rsforge.data.views.undeclared_fill import Fill, find_fill

Values = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

MAX_BANDS = 16


class ValueRange(NamedTuple):
    """Minimum, maximum, mean and standard deviation of values; nan where there are none."""

    low: float
    high: float
    mean: float
    std: float

    @classmethod
    def from_values(cls, values: Values) -> ValueRange:
        if not values.size:
            return cls(math.nan, math.nan, math.nan, math.nan)
        mean, std = values.mean(dtype=float), values.std(dtype=float)
        return cls(float(values.min()), float(values.max()), float(mean), float(std))


@dataclass(frozen=True)
class ImageStats:
    """Shape, dtype, ranges over valid finite values, and the SHA-256 of the pixels of one image.

    ``band_ranges`` are those of the first ``MAX_BANDS`` bands; ``valid``, ``saturated`` and ``cloudy`` are shares of
    the pixels or values, ``non_finite`` is a number of values. ``fill`` is a value that fills areas at the border,
    although it is not declared as no data.
    """

    height: int
    width: int
    bands: int
    dtype: str
    overall: ValueRange
    band_ranges: tuple[ValueRange, ...]
    valid: float
    non_finite: int
    saturated: float
    cloudy: float
    gray: bool
    pixel_digest: str
    fill: Fill | None = None

    @property
    def constant(self) -> bool:
        return self.overall.low == self.overall.high and self.non_finite == 0


def measure_image(values: Values, valid: Mask) -> ImageStats:
    """The statistics of ``values (H, W, C)`` where ``valid (H, W)`` is True."""
    height, width, bands = values.shape
    pixels = values[valid]
    finite = np.isfinite(pixels) if pixels.dtype.kind == "f" else np.ones(pixels.shape, bool)
    finite_values = pixels[finite]
    overall = ValueRange.from_values(finite_values)
    band_ranges: tuple[ValueRange, ...] = (overall,)
    if bands > 1:
        shown = range(min(bands, MAX_BANDS))
        band_ranges = tuple(ValueRange.from_values(pixels[finite[:, band], band]) for band in shown)
    gray = _is_gray(values)
    return ImageStats(
        height=height,
        width=width,
        bands=bands,
        dtype=str(values.dtype),
        overall=overall,
        band_ranges=band_ranges,
        valid=float(valid.mean()),
        non_finite=pixels.size - finite_values.size,
        saturated=_saturated_share(finite_values),
        cloudy=0.0 if gray else cloudy_share(values),
        gray=gray,
        pixel_digest=pixel_digest(values),
        fill=find_fill(values, valid),
    )


def pixel_digest(values: Values) -> str:
    """SHA-256 of shape, dtype and values: equal for equal pixels in files of different formats."""
    digest = hashlib.sha256(f"{values.shape} {values.dtype.str}".encode())
    digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _saturated_share(values: Values) -> float:
    """The share of values at the lower or at the upper end of an integer dtype, whichever is larger."""
    if values.dtype.kind not in "iu" or not values.size:
        return 0.0
    limits = np.iinfo(values.dtype)
    lowest = float(np.mean(values == limits.min)) if limits.min == 0 else 0.0
    return max(lowest, float(np.mean(values == limits.max)))


def _is_gray(values: npt.NDArray[Any]) -> bool:
    """Whether ``values (H, W, C)`` are of one band, or of three equal ones."""
    bands = values.shape[2]
    return bands == 1 or (bands == 3 and bool(np.all(values[..., :1] == values[..., 1:])))


def cloudy_share(values: Values) -> float:
    """The share of pixels of 8-bit ``values (H, W, 3)`` that are bright, white and smooth; 0 for other dtypes.

    Bright: the darkest band is above 140. White: bands differ by less than a fifth of the brightest. Smooth: the
    standard deviation of the darkest band within 5 x 5 pixels is below 15.
    """
    if values.dtype != np.uint8 or values.shape[2] != 3:
        return 0.0
    darkest = values.min(axis=2).astype(np.float32)
    brightest = values.max(axis=2).astype(np.float32)
    mean = ndimage.uniform_filter(darkest, 5)
    variance = np.maximum(ndimage.uniform_filter(darkest * darkest, 5) - mean * mean, 0)
    return float(np.mean((darkest > 140) & (brightest - darkest < 0.2 * brightest) & (variance < 15**2)))
