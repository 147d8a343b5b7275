"""The best denoiser of normally distributed latents, in closed form: what a trained one has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rsforge.noise.process import broadcast

ClosedForm = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""x_t ``(B, *latent)`` and alpha_bar ``(B,)`` to guesses of x_0 and eps."""


@dataclass(frozen=True)
class GaussianDenoiser:
    """The conditional mean under N(mean, U diag(variances) U' + rest (I - U U')), latents flattened to ``d`` numbers.

    ``basis`` U is ``(d, r)`` with orthonormal columns, ``variances`` ``(r,)``, ``mean`` ``(d,)`` or a number, and
    ``rest`` the variance in every other direction.
    """

    mean: Tensor
    basis: Tensor
    variances: Tensor
    rest: float | Tensor

    def __call__(self, x_t: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
        """E[x_0 | x_t] and E[eps | x_t] for ``x_t`` ``(B, *latent)`` and ``alpha_bar`` ``(B,)``.

        With S the covariance and y = x_t - sqrt(alpha_bar) mean they are mean + sqrt(alpha_bar) S C^-1 y and
        sqrt(1 - alpha_bar) C^-1 y, where C = alpha_bar S + (1 - alpha_bar) I is that of x_t.
        """
        x = x_t.flatten(1)
        signal = broadcast(alpha_bar, x).to(x)
        y = x - signal.sqrt() * self.mean
        along = y @ self.basis
        inverse, rest = 1 / (signal * self.variances + 1 - signal), 1 / (signal * self.rest + 1 - signal)
        whitened = rest * y + ((inverse - rest) * along) @ self.basis.T
        spread = rest * self.rest * y + ((inverse * self.variances - rest * self.rest) * along) @ self.basis.T
        x_0, eps = self.mean + signal.sqrt() * spread, (1 - signal).sqrt() * whitened
        return x_0.view_as(x_t), eps.view_as(x_t)

    def to(self, device: torch.device) -> GaussianDenoiser:
        """The same on ``device``."""
        return GaussianDenoiser(self.mean.to(device), self.basis.to(device), self.variances.to(device), self.rest)


def denoise_standard(x_t: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """The same for standardised latents of which nothing else is known, N(0, I)."""
    signal = broadcast(alpha_bar, x_t).to(x_t)
    return signal.sqrt() * x_t, (1 - signal).sqrt() * x_t
