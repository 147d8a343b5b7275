"""The normal distribution with full covariance of few samples of many numbers, shrunk so that it has full rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ShrunkGaussian:
    """N(mean, (1 - shrinkage) S + shrinkage * variance * I), S the covariance of the ``centred`` samples ``(n, d)``.

    The covariance, d x d, is never formed: a draw is a random combination of the samples, and noise.
    """

    mean: Tensor
    centred: Tensor
    shrinkage: float
    variance: float

    def sample(self, generator: torch.Generator) -> Tensor:
        """One draw ``(d,)``; ``generator`` is on the CPU."""
        n, d = self.centred.shape
        weights = torch.randn(n, generator=generator) * ((1 - self.shrinkage) / n) ** 0.5
        noise = torch.randn(d, generator=generator) * (self.shrinkage * self.variance) ** 0.5
        draw: Tensor = self.mean + weights @ self.centred + noise
        return draw


def fit_shrunk(samples: Tensor) -> ShrunkGaussian:
    """The distribution of ``samples`` ``(n, d)``, shrunk towards a multiple of I as Ledoit & Wolf 2004, Eq. 14, choose.

    S divides by n, as there. One sample alone has no covariance: ``ValueError``.
    """
    n, d = samples.shape
    if n < 2:
        raise ValueError("one sample has no covariance")
    mean = samples.mean(0)
    centred = samples - mean
    gram = (centred @ centred.T).double() / n  # its squared entries sum up to those of S
    variance, squared = float(gram.trace()) / d, float(gram.square().sum())
    distance = squared / d - variance**2
    fourth = float((gram.diagonal() * n).square().sum())
    error = (fourth - n * squared) / n**2 / d
    shrinkage = 1.0 if distance <= 0 else min(max(error, 0.0) / distance, 1.0)
    return ShrunkGaussian(mean, centred, shrinkage, variance)
