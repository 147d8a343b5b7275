"""The closed-form denoiser of a distribution fitted to latents."""

from __future__ import annotations

import torch

from rsforge.metrics.shrunk_gaussian import ShrunkGaussian
from rsforge.noise.gaussian_denoiser import GaussianDenoiser

MOST_DIRECTIONS = 256


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
