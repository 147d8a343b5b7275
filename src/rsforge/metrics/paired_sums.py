"""Figures of several predictors from their sums over the same images, with intervals, and what one gains on others."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rsforge.metrics.bootstrap import resample_sums

F64 = npt.NDArray[np.float64]
Sums = Mapping[str, F64]
"""By name, numbers ``(n, ...)`` of ``n`` images, or ``(...)`` of all."""
Derive = Callable[[Sums], Mapping[str, F64]]
"""Figures ``(...)`` of sums ``(...)`` or ``(..., B)``."""


LEAST_SHARE = 0.9
"""Of the draws that must have a figure for an interval of those."""


class Estimate(NamedTuple):
    """A figure of all images together, and its interval; NaN where there is none, as where many draws have none."""

    value: float
    low: float
    high: float


class Resampling(NamedTuple):
    """``groups`` (n labels) that are drawn whole, none of them where no interval can be had; how often, and how."""

    groups: Sequence[Hashable]
    resamples: int
    confidence: float
    seed: int


class PairedFigures:
    """Figures of every predictor of ``sums``, by all images and by the same draws of groups of them.

    A gain is a difference of two predictors in each draw, so that what makes an image hard for both does not widen its
    interval. Efron & Tibshirani 1993, section 13.3.
    """

    def __init__(self, sums: Mapping[str, Sums], derive: Derive, resampling: Resampling) -> None:
        self.resampling = resampling
        self.values, self.draws = {}, {}
        drawn = {name: _resample(own, resampling) for name, own in sums.items()}
        for name, own in sums.items():
            self.values[name] = derive({key: values.sum(0) for key, values in own.items()})
            self.draws[name] = derive(drawn[name])

    def estimate(self, predictor: str, figure: str) -> Estimate:
        """The figure of a predictor."""
        return self._estimate(self.values[predictor][figure], self.draws[predictor][figure])

    def gain(self, predictor: str, over: str, figure: str, *, higher_is_better: bool) -> Estimate:
        """By how much a predictor is better than another; above 0 it is, whatever the direction of the figure."""
        sign = 1 if higher_is_better else -1
        value, draws = (sign * (found[predictor][figure] - found[over][figure]) for found in (self.values, self.draws))
        return self._estimate(value, draws)

    def _estimate(self, value: F64, draws: F64) -> Estimate:
        tail = (1 - self.resampling.confidence) / 2
        found = draws[np.isfinite(draws)]  # some may hold no image that has the figure
        known = np.isfinite(value) and len(found) > LEAST_SHARE * len(draws)
        low, high = np.quantile(found, [tail, 1 - tail]) if known else (np.nan, np.nan)
        return Estimate(float(value), float(low), float(high))


def _resample(sums: Sums, resampling: Resampling) -> dict[str, F64]:
    """Sums ``(resamples, ...)`` of each draw; the same images in the same draw, whatever the sums."""
    count = len(next(iter(sums.values())))
    rows = np.concatenate([values.reshape(count, -1) for values in sums.values()], axis=1)
    groups = resampling.groups or [0] * count
    drawn = resample_sums(rows, groups, resamples=resampling.resamples, seed=resampling.seed)
    ends = np.cumsum([values[0].size for values in sums.values()])[:-1]
    parts = np.split(drawn, ends, axis=1)
    return {
        name: part.reshape(len(drawn), *values.shape[1:])
        for (name, values), part in zip(sums.items(), parts, strict=True)
    }
