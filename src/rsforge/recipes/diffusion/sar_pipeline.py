"""Optical images from SAR images and prompts: what a trained model is drawn with, in training and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rsforge.data.sar.composite import Composite, to_three_channels
from rsforge.models.text_encoder import TextEncoder
from rsforge.recipes.datasets.batches import index_ranges
from rsforge.recipes.diffusion.encode_pairs import Standard
from rsforge.recipes.diffusion.pipeline import Guide, LatentPipeline, Start, Walk
from rsforge.samplers.timesteps import ignore_progress

TEXT, SAR = "text", "sar"


@dataclass(frozen=True)
class PromptReader:
    """Prompts as the tokens ``(B, M, width)`` that a denoiser attends to; the encoder is frozen."""

    encode: Callable[[Sequence[str]], Tensor]
    encoder: TextEncoder

    @torch.no_grad()
    def __call__(self, prompts: Sequence[str]) -> Tensor:
        return self.read(self.encode(list(prompts)))

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Tensor:
        """The context of token ids ``(B, M)``."""
        context: Tensor = self.encoder(tokens.to(next(self.encoder.parameters()).device))
        return context


@dataclass(frozen=True)
class Request:
    """What to draw of: SAR images ``(B, C, H, W)`` in [-1, 1] with a prompt each, and how.

    ``strength`` is how much of the walk is taken from the encoded SAR image: 1 begins with noise alone, 0 decodes it.
    """

    sar: Tensor
    prompts: Sequence[str]
    guidance_scale: float = 1.0
    strength: float = 1.0


@dataclass(frozen=True)
class SarPipeline:
    """``latents`` draws; ``reader`` reads prompts; SAR images enter by ``composite`` and the autoencoder."""

    latents: LatentPipeline
    reader: PromptReader
    composite: Composite
    sar: Standard

    @property
    def factor(self) -> int:
        """How many pixels wide one of the latents is."""
        return self.latents.autoencoder.factor

    @torch.no_grad()
    def encode(self, sar: Tensor) -> Tensor:
        """The mean latents of SAR images ``(B, C, H, W)`` in [-1, 1], not standardised."""
        mean, _ = self.latents.autoencoder.encode(to_three_channels(sar.to(self.sar.mean.device), self.composite))
        return mean.float()

    def draw(
        self,
        request: Request,
        indices: Sequence[int],
        walk: Walk,
        *,
        seed: int,
        on_step: Callable[[int], None] = ignore_progress,
    ) -> Tensor:
        """Optical images ``(B, 3, H, W)`` in [-1, 1]; each depends on its SAR image, prompt, index and ``seed``."""
        latents = self.encode(request.sar)
        inputs = {TEXT: self.reader(request.prompts), SAR: self.sar.apply(latents)}
        names = [TEXT] if request.guidance_scale != 1 else None
        guide = Guide(inputs, request.guidance_scale, names)
        start = Start(latents, request.strength) if request.strength < 1 else None
        return self.latents.draw(indices, walk, seed=seed, guide=guide, start=start, on_step=on_step)

    def draw_in_batches(
        self, request: Request, indices: Sequence[int], walk: Walk, *, seed: int, batch_size: int
    ) -> Tensor:
        """What ``draw`` gives, at most ``batch_size`` images at a time."""
        parts = []
        for chosen in index_ranges(len(indices), batch_size):
            part = slice(chosen.start, chosen.stop)
            few = replace(request, sar=request.sar[part], prompts=request.prompts[part])
            parts.append(self.draw(few, indices[part], walk, seed=seed))
        return torch.cat(parts)
