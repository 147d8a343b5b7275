"""A pretrained text-to-image model: its networks, its tokenizer, and how it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from rsforge.data.clip_tokenizer import ClipTokenizer
from rsforge.models.autoencoder_kl import AutoencoderKL
from rsforge.models.conditioning import Conditioning, ConditionInput
from rsforge.models.pretrained.networks import PretrainedNetworks
from rsforge.models.text_encoder import TextEncoder
from rsforge.models.unet import UNet
from rsforge.noise.process import Prediction
from rsforge.noise.schedules import table_of
from rsforge.recipes.diffusion.pipeline import Guide, LatentPipeline
from rsforge.recipes.diffusion.sar_pipeline import TEXT, PromptReader
from rsforge.samplers.timesteps import StepGrid

DROPOUT = 0.1
"""How often the training of Stable Diffusion left the text out. Rombach et al. 2022, as trained."""


@dataclass(frozen=True)
class PretrainedModel:
    """``networks`` and the ``tokenizer`` of their text tower; ``notes`` are sentences for the user."""

    networks: PretrainedNetworks
    tokenizer: ClipTokenizer
    notes: tuple[str, ...] = ()

    def to(self, device: torch.device) -> PretrainedModel:
        """This model, its networks moved to ``device``."""
        for network in (self.unet, self.autoencoder, self.text_encoder):
            network.to(device)
        return self

    @property
    def unet(self) -> UNet:
        return self.networks.unet

    @property
    def autoencoder(self) -> AutoencoderKL:
        return self.networks.autoencoder

    @property
    def text_encoder(self) -> TextEncoder:
        return self.networks.text_encoder

    @property
    def schedule(self) -> dict[str, Any]:
        """The noise schedule and the grid of steps, as checkpoints store them."""
        return self.networks.schedule.schedule

    @property
    def prediction(self) -> Prediction:
        return self.networks.schedule.prediction

    @property
    def image_size(self) -> int:
        return self.networks.image_size

    @cached_property
    def reader(self) -> PromptReader:
        """Prompts as the vectors that the U-Net attends to."""
        return PromptReader(self.tokenizer.encode, self.text_encoder)

    def pipeline(self, image_size: int | None = None, *, negative_prompt: str = "") -> LatentPipeline:
        """What draws square images of ``image_size``, else of the size of the training.

        Guidance leads away from ``negative_prompt``; training left texts out for the empty one. ``ValueError`` for a
        size that the autoencoder cannot take.
        """
        device = next(self.unet.parameters()).device
        shape = self.autoencoder.latent_shape(image_size or self.image_size)
        mean, std = torch.zeros(shape[0], 1, 1), torch.full((shape[0], 1, 1), 1 / self.networks.scaling_factor)
        text = ConditionInput(TEXT, "context", DROPOUT, self.reader([negative_prompt])[0])
        grid = replace(StepGrid.from_schedule(self.schedule), solver_drops_last=True)
        return LatentPipeline(
            self.unet, self.autoencoder, table_of(self.schedule), self.prediction, shape, mean.to(device),
            std.to(device), grid, Conditioning((text,)),
        )  # fmt: skip

    def guide(self, prompts: Sequence[str], guidance_scale: float, guidance_rescale: float = 0.0) -> Guide:
        """The prompts of a batch, one an image, and the strength of their guidance away from the negative prompt."""
        inputs: dict[str, Tensor] = {TEXT: self.reader(prompts)}
        return Guide(inputs, guidance_scale, [TEXT] if guidance_scale != 1 else None, guidance_rescale)
