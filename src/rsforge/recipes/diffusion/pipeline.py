"""Images from a denoiser and an autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.process import Prediction
from rsforge.samplers.ddim import ddim
from rsforge.samplers.ddpm import ddpm
from rsforge.samplers.noise_source import SeededNoise
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import ignore_progress, timesteps


@dataclass(frozen=True)
class Generator:
    """Everything that turns noise into images; ``mean`` and ``std`` undo the standardisation of latents."""

    denoiser: Denoiser
    autoencoder: Autoencoder
    alphas_cumprod: Tensor
    prediction: Prediction
    latent_shape: tuple[int, ...]
    mean: Tensor
    std: Tensor

    def steps(self, ddim_steps: int | None) -> list[int]:
        """The timesteps visited: all of them by DDPM, ``ddim_steps`` by DDIM."""
        total = len(self.alphas_cumprod)
        return timesteps(total, ddim_steps or total)

    @torch.no_grad()
    def draw(
        self,
        indices: Sequence[int],
        *,
        seed: int,
        ddim_steps: int | None = None,
        eta: float = 0.0,
        on_step: Callable[[int], None] = ignore_progress,
    ) -> Tensor:
        """Images ``(len(indices), 3, H, W)`` in [-1, 1]; each depends on ``seed`` and its index alone."""
        noise = SeededNoise(seed, indices)
        x_T = noise.draw(torch.empty(len(indices), *self.latent_shape, device=self.mean.device))  # noqa: N806
        denoise = x0_denoiser(self.denoiser, self.alphas_cumprod, self.prediction)
        steps = self.steps(ddim_steps)
        common = {"steps": steps, "draw": noise.draw, "on_step": on_step}
        if ddim_steps is None:
            latents = ddpm(denoise, x_T, self.alphas_cumprod, **common)  # type: ignore[arg-type]
        else:
            latents = ddim(denoise, x_T, self.alphas_cumprod, eta=eta, **common)  # type: ignore[arg-type]
        return self.autoencoder.decode(latents * self.std + self.mean).float().clamp(-1, 1)


def batches(count: int, size: int) -> Iterator[range]:
    """The indices 0 to ``count`` in runs of at most ``size``."""
    return (range(start, min(start + size, count)) for start in range(0, count, size))
