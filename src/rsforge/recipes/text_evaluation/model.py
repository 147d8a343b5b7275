"""The text-to-image model that is evaluated, and how it is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.pipeline import LatentPipeline, Walk
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.pretrained.open import open_pretrained
from rsforge.recipes.sample.text import CHECKPOINT
from rsforge.recipes.text_to_image.load import KIND, ROLE, load_model
from rsforge.recipes.text_to_image.output_names import FINETUNE
from rsforge.settings.text_evaluate import TextEvaluateSettings


@dataclass(frozen=True)
class EvaluatedModel:
    """The model, what its checkpoint says beside its weights, and its pipeline and walk."""

    model: PretrainedModel
    state: Mapping[str, Any]
    adapters: list[dict[str, Any]]
    pipeline: LatentPipeline
    walk: Walk
    settings: TextEvaluateSettings = field(repr=False)

    @property
    def image_size(self) -> int:
        return self.pipeline.latent_shape[1] * self.model.autoencoder.factor

    @property
    def digest(self) -> str:
        """The digest of all weights, adapters merged."""
        parts = {"unet": self.model.unet, "vae": self.model.autoencoder, "text_encoder": self.model.text_encoder}
        return checkpoint.digest_weights({name: network.state_dict() for name, network in parts.items()})

    def describe_drawing(self) -> dict[str, Any]:
        """How images are drawn; ``guidance_rescale``, which older records lack, where it does something."""
        rescale = self.settings.guidance_rescale
        return {
            "sampler": self.walk.sampler, "steps": len(self.walk.steps), "eta": self.walk.eta,
            "guidance_scale": self.settings.guidance_scale, "negative_prompt": self.settings.negative_prompt,
        } | ({"guidance_rescale": rescale} if rescale else {})  # fmt: skip

    def draw(self, captions: Sequence[str], numbers: Sequence[int]) -> Tensor:
        """Images ``(B, 3, H, W)`` in [-1, 1] of the captions of ``numbers``; each by seed, caption and number alone."""
        own, settings = [captions[number] for number in numbers], self.settings
        guide = self.model.guide(own, settings.guidance_scale, settings.guidance_rescale)
        return self.pipeline.draw(list(numbers), self.walk, seed=settings.evaluation.seed, guide=guide)


def open_evaluated(settings: TextEvaluateSettings, device: torch.device, console: Console) -> EvaluatedModel:
    """The model of a checkpoint of ``diffusion finetune``, or a pretrained one, adapters merged into it."""
    state: Mapping[str, Any] = {}
    if settings.pipeline.suffix.lower() == CHECKPOINT:
        state = checkpoint.load_metadata(settings.pipeline, kind=KIND, role=ROLE)
        model = load_model(settings.pipeline).to(device)
        adapters = merge_adapters(model, settings.adapters, console)
    else:
        model, adapters = open_pretrained(settings.pipeline, settings, device, console)
        state = read_training_beside(settings.pipeline, console)
    try:
        pipeline = model.pipeline(settings.image_size, negative_prompt=settings.negative_prompt)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size") from error
    try:
        walk = pipeline.walk(settings.sampler or model.networks.schedule.sampler, settings.num_inference_steps)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--num-inference-steps") from error
    return EvaluatedModel(model, state, adapters, pipeline, walk, settings)


def read_training_beside(pipeline: Path, console: Console) -> Mapping[str, Any]:
    """What the checkpoint says from which a fine-tuning wrote the folder ``pipeline``; {} where none lies there.

    It knows which images were held out; the folder for diffusers does not.
    """
    best = pipeline.expanduser() / FINETUNE.names.best
    if not best.is_file():
        return {}
    try:
        state = checkpoint.load_metadata(best, kind=KIND, role=ROLE)
    except RsforgeError as error:
        console.warn(f"{best} does not tell which images {pipeline} was trained on: {error.what}")
        return {}
    console.say(f"training   as {best} tells")
    return state
