"""The loss of a denoiser."""

from __future__ import annotations

import torch
from torch import Tensor


def weighted_mse(output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Squared error, mean over all axes but the first and times ``weight`` ``(B,)``: ``(B, …)`` to ``(B,)``.

    Half precision is widened to float32. Ho et al. 2020, Eq. 14, weighted as in Hang et al. 2023.
    """
    wide = torch.promote_types(output.dtype, torch.float32)
    error = (output.to(wide) - target.to(wide)).square().flatten(1).mean(1)
    return error if weight is None else error * weight.to(error)


def variance_of_mean(losses: Tensor) -> Tensor:
    """The variance of each latent's mean loss over its draws, from ``(draws, B)`` with two draws from each stratum.

    The two differ by nothing but chance, so that half their squared difference is a stratum's variance without
    bias, whatever the strata differ by. Cochran 1977, Sec. 5.9, with two units in each stratum.
    """
    pairs = losses.unflatten(0, (-1, 2))
    variance: Tensor = (pairs[:, 0] - pairs[:, 1]).square().sum(0) / (4 * len(pairs) ** 2)
    return variance
