"""The variational bound, its pieces, and the ways to hold the KL where it is wanted. All figures in nats."""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST_MSE = 1e-12
"""Where a perfect reconstruction's likelihood stops growing."""


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL of N(mu, exp(logvar)) from N(0, 1), summed over the latent: ``(B, …)`` to ``(B,)``.

    Kingma & Welling 2014, Appendix B.
    """
    return _kl(mu, logvar).sum(1)


def beta_at(epoch: int, kl_weight: float, kl_warmup: int) -> float:
    """Weight of the KL: linear from 0 at epoch 0 to ``kl_weight`` at epoch ``kl_warmup``, then constant."""
    return kl_weight * min(1.0, epoch / kl_warmup) if kl_warmup > 0 else kl_weight


def capacity_penalty(kl: Tensor, beta: float | Tensor, target: float) -> Tensor:
    """``beta * |mean(kl) - target|``, a scalar that pulls ``kl`` ``(B,)`` to ``target`` nats per image.

    ``target`` 0 is the plain ``beta * mean(kl)``. Burgess et al. 2018 (arXiv 1804.03599), Eq. 8.
    """
    mean = kl.mean()
    return beta * (mean if target == 0 else (mean - target).abs())


def free_bits(mu: Tensor, logvar: Tensor, target: float) -> Tensor:
    """KL, a scalar, where each of ``d`` latent dimensions has ``target / d`` nats for nothing.

    The floor holds for the batch's mean; a dimension below it gets no gradient. Kingma et al. 2016, Eq. 15.
    """
    per_dim = _kl(mu, logvar).mean(0)
    return per_dim.clamp(min=target / len(per_dim)).sum()


def gaussian_nll_per_dim(mse: Tensor) -> Tensor:
    """Nats per dimension of a Gaussian decoder whose variance suits each image best: its own ``mse``.

    Elementwise on ``(B,)``, negative for a sharp reconstruction; ``mse`` is floored at ``LEAST_MSE``.
    Rybkin et al. 2021 (sigma-VAE, arXiv 2006.13202).
    """
    return 0.5 * ((2 * math.pi * mse.clamp(min=LEAST_MSE)).log() + 1)


def negative_elbo(mse: Tensor, kl: Tensor, num_pixels: int) -> Tensor:
    """Bound on the negative log-likelihood in nats per dimension: ``(B,)`` and ``(B,)`` to ``(B,)``.

    ``num_pixels`` counts C·H·W values. Comparable whatever beta was, so it can choose the best epoch.
    """
    return gaussian_nll_per_dim(mse) + kl / num_pixels


def _kl(mu: Tensor, logvar: Tensor) -> Tensor:
    # Half precision would lose a small KL, and exp(12) overflows float16.
    wide = torch.promote_types(mu.dtype, torch.float32)
    mu, logvar = mu.to(wide).flatten(1), logvar.to(wide).flatten(1)
    return 0.5 * (mu.square() + logvar.expm1() - logvar)


def sample_latent(mu: Tensor, logvar: Tensor) -> Tensor:
    """``mu + sigma * eps`` with fresh noise. Kingma & Welling 2014, Eq. 10."""
    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)
