"""The closed-form denoisers of distributions fitted to latents."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from rsforge.noise.gaussian_denoiser import GaussianDenoiser

MOST_DIRECTIONS = 256
SCALES = tuple(10 ** (k / 4) for k in range(-8, 5))
"""Of the variance, the factors that a latent may have."""
ROUNDS, FOLDS, BLOCK, LEAST = 100, 4, 8, 1e-8
"""Rounds of the estimation of scales; folds that variances are estimated by, and samples that stay together in them,
as the views of an image do; the least variance."""


def count_directions(samples: int, size: int) -> int:
    """The most directions of the denoiser of so many samples of ``size`` numbers."""
    return min(MOST_DIRECTIONS, size, samples)


def count_bytes(samples: int, size: int) -> int:
    """The most bytes of the denoiser of so many samples of ``size`` numbers."""
    return 4 * (size + (size + 1) * count_directions(samples, size))


def fit_denoiser(samples: Tensor) -> GaussianDenoiser:
    """The denoiser of normally distributed ``samples`` ``(n, d)``, by their widest directions; all others share one
    variance.

    Of few samples the widest directions are too wide and the others too narrow. So the variances are those that each
    fold of the samples has along the directions of the others, as in Lam 2016, Nonparametric eigenvalue-regularized
    precision or covariance matrix estimator, made to fall from the widest direction to the narrowest. One sample alone
    has no covariance: ``ValueError``.
    """
    count, size = samples.shape
    if count < 2:
        raise ValueError("one sample has no covariance")
    mean, basis = _widest_directions(samples, min(MOST_DIRECTIONS, count - 1, size))
    fold = number_folds(count)
    held_out = [_measure_along(samples[fold != k], samples[fold == k], basis.shape[1]) for k in fold.unique()]
    energies, rests = (torch.stack(parts) for parts in zip(*held_out, strict=True))
    variances = energies.nanmean(0).clamp(min=LEAST)
    rest = float(rests.nanmean().nan_to_num(float(variances.nanmean())).clamp(min=LEAST))
    variances = sort_by_pooling(variances.nan_to_num(rest))
    return GaussianDenoiser(mean.float(), basis.float(), variances.float(), rest)


def number_folds(count: int) -> Tensor:
    """The number of the fold of each of ``count`` samples in their order ``(count,)``; neighbours stay together."""
    return torch.arange(count) // max(1, min(BLOCK, count // FOLDS)) % min(FOLDS, count)


def sort_by_pooling(values: Tensor) -> Tensor:
    """The nearest values ``(k,)`` in squared error that never rise, by pooling adjacent ones: Ayer et al. 1955."""
    blocks: list[tuple[float, int]] = []
    for value in values.tolist():
        total, count = value, 1
        while blocks and blocks[-1][0] / blocks[-1][1] < total / count:
            before = blocks.pop()
            total, count = total + before[0], count + before[1]
        blocks.append((total, count))
    levels = [total / count for total, count in blocks for _ in range(count)]
    return torch.tensor(levels, dtype=values.dtype)


def _measure_along(known: Tensor, others: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The mean squares of ``others`` along the ``count`` widest directions of ``known`` samples, and along the rest.

    NaN where there are none.
    """
    mean, basis = _widest_directions(known, count)
    deviation = (others - mean).double()
    along = deviation @ basis
    energy = torch.full((count,), torch.nan, dtype=torch.float64)
    energy[: along.shape[1]] = along.square().mean(0)
    left = deviation.shape[1] - along.shape[1]
    rest = (deviation - along @ basis.T).square().sum(1).mean() / left if left else torch.tensor(torch.nan)
    return energy, rest.double()


def _widest_directions(samples: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The mean ``(d,)`` and at most so many orthonormal columns ``(d, k)`` in float64, the widest first."""
    mean = samples.mean(0)
    centred = (samples - mean).double()
    values, vectors = torch.linalg.eigh(centred @ centred.T)
    kept = values > 1e-9 * values[-1].clamp(min=1e-30)
    values, vectors = values[kept].flip(0)[:most], vectors[:, kept].flip(1)[:, :most]
    return mean, centred.T @ vectors / values.sqrt()


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


def draw_samples(form: GaussianDenoiser, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draws ``(count, d)`` of the distribution that ``form`` denoises; ``generator`` is on its device."""
    device = form.basis.device
    scale = torch.multinomial(form.weights.to(device), count, replacement=True, generator=generator)
    scales = form.scales.to(device)[scale].sqrt()[:, None]
    noise = torch.randn(count, len(form.basis), generator=generator, device=device)
    along, rest = noise @ form.basis, math.sqrt(form.rest)
    return form.mean + scales * (rest * noise + ((form.variances.sqrt() - rest) * along) @ form.basis.T)
