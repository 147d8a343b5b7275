"""The closed-form denoiser of a distribution fitted to latents."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rsforge.metrics.shrunk_gaussian import ShrunkGaussian
from rsforge.noise.gaussian_denoiser import GaussianDenoiser

MOST_DIRECTIONS = 256
SCALES = tuple(10 ** (k / 4) for k in range(-8, 5))
"""Of the variance, the factors that a latent may have."""
ROUNDS = 100


def count_directions(samples: int, size: int) -> int:
    """The most directions of the denoiser of so many samples of ``size`` numbers."""
    return min(MOST_DIRECTIONS, size, samples)


def count_bytes(samples: int, size: int) -> int:
    """The most bytes of the denoiser of so many samples of ``size`` numbers."""
    return 4 * (size + (size + 1) * count_directions(samples, size))


def denoiser_of(gaussian: ShrunkGaussian) -> GaussianDenoiser:
    """The denoiser of a fitted distribution, by its ``MOST_DIRECTIONS`` widest directions; all others share a variance.

    The total variance is kept.
    """
    count, size = gaussian.centred.shape
    floor = gaussian.shrinkage * gaussian.variance
    values, vectors = torch.linalg.eigh((gaussian.centred @ gaussian.centred.T).double() / count)
    kept = min(MOST_DIRECTIONS, count - 1, size)
    values, vectors = values[-kept:].clamp(min=0), vectors[:, -kept:]
    found = values > 1e-9 * max(gaussian.variance, 1e-30)
    values, vectors = values[found], vectors[:, found]
    basis = (gaussian.centred.T.double() @ vectors) / (values * count).sqrt()
    variances = (1 - gaussian.shrinkage) * values + floor
    left = size - len(values)
    rest = (size * gaussian.variance - float(variances.sum())) / left if left else floor
    return GaussianDenoiser(gaussian.mean.float(), basis.float(), variances.float(), max(rest, 1e-8))


def mix_scales(gaussian: GaussianDenoiser, samples: Tensor) -> GaussianDenoiser:
    """The denoiser of latents that have the covariance of ``gaussian`` times one of ``SCALES`` each.

    The probabilities of these are the likeliest of ``samples`` ``(n, *latent)`` and one more of scale 1, by expectation
    and maximisation: Dempster et al. 1977.
    """
    mixture = replace(gaussian, scales=torch.tensor(SCALES).to(samples), weights=torch.ones(len(SCALES)).to(samples))
    likelihoods = mixture.log_likelihoods(samples, torch.ones(len(samples)).to(samples)).double()
    plain = (mixture.scales == 1).double()
    weights = torch.full_like(plain, 1 / len(plain))
    for _ in range(ROUNDS):
        weights = ((likelihoods + weights.log()).softmax(1).sum(0) + plain) / (len(samples) + 1)
    return replace(mixture, weights=weights.float())
