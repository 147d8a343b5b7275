"""Images from a denoiser and an autoencoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from rsforge.models.conditioning import UNCONDITIONAL, Conditioning
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.process import Prediction
from rsforge.samplers.catalogue import SAMPLERS, Sampler, default_num_steps, default_sampler
from rsforge.samplers.ddim import ddim
from rsforge.samplers.guidance import guided_network
from rsforge.samplers.image_to_image import noisy_start, remaining_steps
from rsforge.samplers.noise_source import SeededNoise
from rsforge.samplers.predict_x0 import x0_denoiser
from rsforge.samplers.timesteps import StepGrid, ignore_progress


@dataclass(frozen=True)
class Walk:
    """How latents are drawn: the sampler by its name, the timesteps it visits, and the noise of DDIM."""

    sampler: str
    steps: Sequence[int]
    eta: float = 0.0

    @property
    def function(self) -> Sampler:
        return partial(ddim, eta=self.eta) if self.sampler == "ddim" else SAMPLERS[self.sampler]


@dataclass(frozen=True)
class Guide:
    """The conditioning of the denoiser: ``inputs`` by name, and the strength of their guidance.

    Further than ``guidance_scale`` 1 means further from what it says without the inputs ``names``, or without all that
    training left out at times; the deviation of the output is moved back by ``guidance_rescale``.
    """

    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    guidance_scale: float = 1.0
    names: Sequence[str] | None = None
    guidance_rescale: float = 0.0


@dataclass(frozen=True)
class Start:
    """An image to begin with: its latents ``(B, *latent)``, and the share of the walk that is taken from there."""

    latents: Tensor
    strength: float


NO_INPUTS = Guide()


@dataclass(frozen=True)
class LatentPipeline:
    """Everything that turns noise into images; ``mean`` and ``std`` undo the standardisation of latents."""

    denoiser: Denoiser
    autoencoder: Autoencoder
    alphas_cumprod: Tensor
    prediction: Prediction
    latent_shape: tuple[int, ...]
    mean: Tensor
    std: Tensor
    grid: StepGrid = field(default_factory=StepGrid)
    conditioning: Conditioning = UNCONDITIONAL

    def walk(self, sampler: str | None = None, num_steps: int | None = None, *, eta: float = 0.0) -> Walk:
        """The walk of these names and numbers, or what suits the model where they are not given; ``eta`` asks for DDIM.

        ``ValueError`` when the number of steps does not fit the schedule.
        """
        total = len(self.alphas_cumprod)
        suited = "ddim" if eta else default_sampler(self.prediction, all_steps=num_steps is None)
        name = sampler or suited
        if num_steps is None:
            num_steps = default_num_steps(name, self.prediction, total)
        return Walk(name, self.grid.timesteps(total, num_steps, name), eta)

    @torch.no_grad()
    def draw(
        self,
        indices: Sequence[int],
        walk: Walk,
        *,
        seed: int,
        guide: Guide = NO_INPUTS,
        start: Start | None = None,
        on_step: Callable[[int], None] = ignore_progress,
    ) -> Tensor:
        """Images ``(len(indices), 3, H, W)`` in [-1, 1]; each depends on ``seed`` and its index alone."""
        return self.decode(self.draw_latents(indices, walk, seed=seed, guide=guide, start=start, on_step=on_step))

    @torch.no_grad()
    def decode(self, x_0: Tensor) -> Tensor:
        """Images in [-1, 1] of standardised latents."""
        return self.autoencoder.decode(x_0 * self.std + self.mean).float().clamp(-1, 1)

    @torch.no_grad()
    def draw_latents(
        self,
        indices: Sequence[int],
        walk: Walk,
        *,
        seed: int,
        guide: Guide = NO_INPUTS,
        start: Start | None = None,
        on_step: Callable[[int], None] = ignore_progress,
    ) -> Tensor:
        """The standardised latents of what ``draw`` gives."""
        network = self.guide_network(guide)
        return self.walk_latents(network, self.latent_shape, indices, walk, seed=seed, start=start, on_step=on_step)

    def guide_network(self, guide: Guide) -> Callable[[Tensor, Tensor], Tensor]:
        """The denoiser with its inputs, as a function of ``(x_t, t)``."""
        inputs = self.conditioning.select(guide.inputs)
        return guided_network(
            self.denoiser, self.conditioning, inputs, guide.guidance_scale,
            names=guide.names, guidance_rescale=guide.guidance_rescale,
        )  # fmt: skip

    @torch.no_grad()
    def walk_latents(
        self,
        network: Callable[[Tensor, Tensor], Tensor],
        shape: Sequence[int],
        indices: Sequence[int],
        walk: Walk,
        *,
        seed: int,
        start: Start | None = None,
        on_step: Callable[[int], None] = ignore_progress,
    ) -> Tensor:
        """Standardised latents ``(len(indices), *shape)`` from noise that ``seed`` and each index choose."""
        noise = SeededNoise(seed, indices)
        eps = noise.draw(torch.empty(len(indices), *shape, device=self.mean.device))
        steps, x_t = self._begin(walk, eps, start)
        if steps:
            x_t = walk.function(
                x0_denoiser(network, self.alphas_cumprod, self.prediction),
                x_t,
                self.alphas_cumprod,
                steps=steps,
                draw=noise.draw,
                on_step=on_step,
                final_alpha_bar=self.grid.final_alpha_bar(self.alphas_cumprod),
            )
        return x_t

    def _begin(self, walk: Walk, eps: Tensor, start: Start | None) -> tuple[list[int], Tensor]:
        """The steps to take and the state they begin with: pure noise, or an image that is noisy in part."""
        if start is None:
            return list(walk.steps), eps
        steps = remaining_steps(walk.steps, start.strength)
        x_0 = ((start.latents - self.mean) / self.std).to(eps)
        return steps, noisy_start(x_0, eps, self.alphas_cumprod, steps)
