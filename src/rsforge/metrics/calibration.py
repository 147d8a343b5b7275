"""Whether the spread of a model's draws tells where it errs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Column = npt.NDArray[np.float64]


def spread_of(draws: Tensor) -> Tensor:
    """The deviation between draws ``(B, K, C, H, W)``, K of 2 or more, at every pixel: ``(B, H, W)``, mean over C."""
    return draws.std(1).mean(1)


def error_of_mean(draws: Tensor, truth: Tensor) -> Tensor:
    """The absolute error of the mean of draws ``(B, K, C, H, W)`` at every pixel: ``(B, H, W)``, mean over C."""
    return (draws.mean(1) - truth).abs().mean(1)


def rank_correlations(spread: Tensor, error: Tensor, valid: Tensor | None = None) -> Column:
    """Spearman's rank correlation of ``(B, H, W)`` and ``(B, H, W)`` over the pixels of each image: ``(B,)``.

    From -1 to 1; above 0 the error is larger where the spread is. NaN where either is the same at every pixel. With
    ``valid`` ``(B, 1, H, W)`` only the pixels count where it is True.
    """
    rows = list(zip(spread, error, strict=True))
    if valid is not None:
        rows = [(x[mask[0]], y[mask[0]]) for (x, y), mask in zip(rows, valid, strict=True)]
    return np.array([_correlate_ranks(x.flatten().cpu().numpy(), y.flatten().cpu().numpy()) for x, y in rows])


def _correlate_ranks(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> float:
    from scipy.stats import spearmanr

    if not x.size or np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    return float(spearmanr(x, y).statistic)


def spread_to_error(draws: Tensor, truth: Tensor) -> Tensor:
    """The mean squared spread of draws and the mean squared error of their mean, by image: ``(B, 2)``.

    The root of the ratio of their means is 1 where true images are as one more draw. Fortin et al. 2014 (J.
    Hydrometeorology 15, 1708), Eq. 15: the variance of a mean of K and one more is (K + 1) / K of that of one.
    """
    count = draws.shape[1]
    variance = draws.var(1).flatten(1).mean(1) * (count + 1) / count
    return torch.stack([variance, (draws.mean(1) - truth).square().flatten(1).mean(1)], 1)
