"""The best denoiser of normally distributed latents, in closed form: what a trained one has to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rsforge.noise.process import broadcast

ClosedForm = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""x_t ``(B, *latent)`` and alpha_bar ``(B,)`` to guesses of x_0 and eps."""


@dataclass(frozen=True)
class GaussianDenoiser:
    """The conditional mean under N(mean, U diag(variances) U' + rest (I - U U')), latents flattened to ``d`` numbers.

    ``basis`` U is ``(d, r)`` with orthonormal columns, ``variances`` ``(r,)``, ``mean`` ``(d,)`` or a number, and
    ``rest`` the variance in every other direction. With several ``scales`` ``(k,)`` the covariance of a latent is the
    product of that and one of them, which has the probability ``weights`` ``(k,)`` and is told from the latent: a
    Gaussian scale mixture. Portilla et al. 2003, Image denoising using scale mixtures of Gaussians, section III.
    """

    mean: Tensor
    basis: Tensor
    variances: Tensor
    rest: float | Tensor
    scales: Tensor = field(default_factory=lambda: torch.ones(1))
    weights: Tensor = field(default_factory=lambda: torch.ones(1))

    def __call__(self, x_t: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
        """E[x_0 | x_t] and E[eps | x_t] for ``x_t`` ``(B, *latent)`` and ``alpha_bar`` ``(B,)``.

        With S the covariance and y = x_t - sqrt(alpha_bar) mean they are mean + sqrt(alpha_bar) S C^-1 y and
        sqrt(1 - alpha_bar) C^-1 y, where C = alpha_bar S + (1 - alpha_bar) I is that of x_t. Of several scales they are
        the means over what x_t tells of these.
        """
        signal, y, along = self._project(x_t, alpha_bar)
        wide, precision = self._scale(signal)
        chances = self._likelihoods(y, along, precision).add(self.weights.log()).softmax(1)[..., None]
        inverse, spread = (chances * precision).sum(1), (chances * precision * wide).sum(1)
        x_0 = self.mean + signal.sqrt() * self._multiply(spread, y, along)
        eps = (1 - signal).sqrt() * self._multiply(inverse, y, along)
        return x_0.view_as(x_t), eps.view_as(x_t)

    def log_likelihoods(self, x_t: Tensor, alpha_bar: Tensor) -> Tensor:
        """How likely ``x_t`` is with each of the scales, ``(B, k)``, but for a term that all share."""
        signal, y, along = self._project(x_t, alpha_bar)
        return self._likelihoods(y, along, self._scale(signal)[1])

    def _project(self, x_t: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The share of the signal ``(B, 1)``, the deviation from the mean, and its part along each direction."""
        x = x_t.flatten(1)
        signal = broadcast(alpha_bar, x).to(x)
        y = x - signal.sqrt() * self.mean
        return signal, y, y @ self.basis

    def _scale(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Variances of x_0 and precisions of x_t, of each scale and direction and, as the last, of all others."""
        rest = torch.as_tensor(self.rest, dtype=self.variances.dtype, device=self.variances.device)
        wide = self.scales[:, None] * torch.cat([self.variances, rest.view(1)])
        share = signal[..., None]
        return wide, 1 / (share * wide + 1 - share)

    def _likelihoods(self, y: Tensor, along: Tensor, precision: Tensor) -> Tensor:
        left = y.shape[1] - along.shape[1]
        outside = (y - along @ self.basis.T).square().sum(1)
        energy = torch.cat([along.square(), outside[:, None]], 1)[:, None]
        counts = torch.ones_like(energy)
        counts[..., -1] = left
        return ((counts * precision.log() - energy * precision) / 2).sum(2)

    def _multiply(self, factors: Tensor, y: Tensor, along: Tensor) -> Tensor:
        """``y`` times its own factor along each direction, and times the last one along all others."""
        rest = factors[:, -1:]
        return rest * y + ((factors[:, :-1] - rest) * along) @ self.basis.T

    def to(self, device: torch.device) -> GaussianDenoiser:
        """The same on ``device``."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **moved)


def denoise_standard(x_t: Tensor, alpha_bar: Tensor) -> tuple[Tensor, Tensor]:
    """The same for standardised latents of which nothing else is known, N(0, I)."""
    signal = broadcast(alpha_bar, x_t).to(x_t)
    return signal.sqrt() * x_t, (1 - signal).sqrt() * x_t
