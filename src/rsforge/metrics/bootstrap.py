"""How far a mean may be trusted: percentile intervals of the bootstrap over images, or over their scenes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
_AT_ONCE = 1 << 22


def mean_intervals(
    values: Values, groups: Sequence[Hashable], *, resamples: int, confidence: float, seed: int
) -> Values:
    """(low, high) of the mean of each column of ``values`` (n, m): ``(m, 2)``, NaN where there is one group alone.

    Whole ``groups`` (n labels) are drawn with replacement, as many as there are, and every column by the same draws:
    images of one scene are not independent. Efron & Tibshirani 1993, section 13.3; Davison & Hinkley 1997, section 3.8.
    """
    totals = resample_sums(np.column_stack([values, np.ones(len(values))]), groups, resamples=resamples, seed=seed)
    if not len(totals):
        return np.full((values.shape[1], 2), np.nan)
    means = totals[:, :-1] / totals[:, -1:]
    edges = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    intervals: Values = np.quantile(means, edges, axis=0).T
    return intervals


def resample_sums(values: Values, groups: Sequence[Hashable], *, resamples: int, seed: int) -> Values:
    """Sums of the rows of ``values`` (n, m) in each of ``resamples`` draws of whole ``groups``: ``(resamples, m)``.

    As many groups are drawn, with replacement, as there are. No draw at all where there is one group alone.
    """
    labels = {label: k for k, label in enumerate(dict.fromkeys(groups))}
    places = np.array([labels[label] for label in groups])
    count = len(labels)
    if count < 2:
        return np.empty((0, values.shape[1]))
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, places, values)
    random, totals = np.random.default_rng(seed), np.empty((resamples, values.shape[1]))
    step = max(1, _AT_ONCE // count)
    for k in range(0, resamples, step):
        drawn = random.multinomial(count, np.full(count, 1 / count), size=min(step, resamples - k))
        totals[k : k + step] = drawn @ sums
    return totals
