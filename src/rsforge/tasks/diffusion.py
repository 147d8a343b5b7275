"""What a denoiser learns: the noise, a velocity or the clean latent behind a noisy one."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.denoising import weighted_mse
from rsforge.losses.elbo import sample_latent
from rsforge.models.interfaces import Denoiser
from rsforge.noise.process import Prediction, broadcast, q_sample, target
from rsforge.noise.timestep_sampling import TimestepSampling, sample_timesteps
from rsforge.noise.weighting import min_snr_weight

Batch = Mapping[str, Any]


def already_encoded(batch: Batch) -> Tensor:
    """The moments of a batch that holds them as ``latents``."""
    latents: Tensor = batch["latents"]
    return latents


class DiffusionTask:
    """Denoising of standardised latents, drawn anew from their moments at each step.

    ``moments_of(batch)`` is ``(B, 2, *latent)``, mean and log-variance; ``mean`` and ``std`` standardise latents
    by channel; ``alphas_cumprod`` is float64 ``(T,)``. ``min_snr_gamma`` 0 weighs all timesteps alike.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        alphas_cumprod: Tensor,
        mean: Tensor,
        std: Tensor,
        prediction: Prediction = "eps",
        min_snr_gamma: float = 0.0,
        timestep_sampling: TimestepSampling = "uniform",
        moments_of: Callable[[Batch], Tensor] = already_encoded,
    ) -> None:
        self.denoiser, self.prediction, self.moments_of = denoiser, prediction, moments_of
        self.alphas_cumprod, self.mean, self.std = alphas_cumprod, mean, std
        self.min_snr_gamma, self.timestep_sampling = min_snr_gamma, timestep_sampling

    def modules(self) -> Mapping[str, nn.Module]:
        return {"denoiser": self.denoiser}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"denoiser": list(self.denoiser.parameters())}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        x_t, t, alpha_bar, wanted = self._question(batch)
        weight = min_snr_weight(self.prediction, alpha_bar, self.min_snr_gamma) if self.min_snr_gamma else None
        yield Turn("denoiser", weighted_mse(self.denoiser(x_t, t), wanted, weight).mean())

    def validation(self) -> MeanOverSamples:
        return MeanOverSamples(self.evaluate)

    def evaluate(self, batch: Batch) -> Mapping[str, Tensor]:
        """``loss`` unweighted, and ``linear``, that of the best denoiser that knows only mean and variance."""
        x_t, t, alpha_bar, wanted = self._question(batch)
        signal = broadcast(alpha_bar, x_t).to(x_t)
        linear = target(self.prediction, signal.sqrt() * x_t, (1 - signal).sqrt() * x_t, alpha_bar)
        return {
            "loss": weighted_mse(self.denoiser(x_t, t), wanted).mean(),
            "linear": weighted_mse(linear, wanted).mean(),
        }

    def _question(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        with torch.no_grad():
            mu, logvar = self.moments_of(batch).unbind(1)
            x_0 = (sample_latent(mu, logvar) - self.mean) / self.std
        # Drawn on the host, where the float64 table is: no device has to be waited for.
        t = sample_timesteps(self.timestep_sampling, len(self.alphas_cumprod), len(x_0))
        eps, alpha_bar = torch.randn_like(x_0), self.alphas_cumprod[t]
        x_t, wanted = q_sample(x_0, eps, alpha_bar), target(self.prediction, x_0, eps, alpha_bar)
        return x_t, t.to(x_0.device), alpha_bar, wanted
