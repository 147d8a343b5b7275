"""What of a text-to-image model a training changes: networks by their names in checkpoints; all else is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rsforge.engine import checkpoint
from rsforge.engine.ema import averaged_weights
from rsforge.errors import RsforgeError
from rsforge.models.adapter import attach_adapter, make_adapter
from rsforge.recipes.console import Console
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.settings.finetune import FinetuneSettings
from rsforge.settings.sections import DEFAULT

TrainedPart = dict[str, nn.Module]
DENOISER, TEXT_ENCODER, ADAPTER = "denoiser", "text_encoder", "adapter"

ADAPTER_RATE = 1e-4
"""The learning rate with which the literature and the programs around Stable Diffusion train adapters."""


def freeze(model: PretrainedModel) -> None:
    """No weight of ``model`` learns from here on."""
    for network in (model.unet, model.autoencoder, model.text_encoder):
        network.requires_grad_(False)


def attach_trained(model: PretrainedModel, *, rank: int, alpha: float | None = None) -> TrainedPart:
    """A new adapter of the attention of the U-Net, which computes with it from here on; ``model`` itself is frozen."""
    freeze(model)
    adapter = make_adapter(model.unet, rank=rank, alpha=alpha)
    attach_adapter(model.unet, adapter)
    return {ADAPTER: adapter}


def choose_trained(model: PretrainedModel, *, text_encoder: bool = False) -> TrainedPart:
    """The networks of ``model`` that learn: the U-Net, and its text tower where that has learnt nothing yet.

    All others are frozen. What is chosen here is what is averaged and saved.
    """
    freeze(model)
    trained: TrainedPart = {DENOISER: model.unet} | ({TEXT_ENCODER: model.text_encoder} if text_encoder else {})
    for part in trained.values():
        part.requires_grad_(True)
    return trained


def read_weights(trained: TrainedPart, state: Mapping[str, Any], path: Path, *, averaged: bool = True) -> None:
    """Put the weights of a checkpoint into the networks, averaged ones where it has them; RSF-C007 for others."""
    for name, network in trained.items():
        weights = dict(state["nets"].get(name, {}))
        if averaged:
            weights |= averaged_weights(state["parts"].get("ema", {}), name)
        checkpoint.load_weights(network, weights, where=str(path))


def check_adapter(settings: FinetuneSettings, console: Console) -> None:
    """RSF-U005 for adapters that cannot be trained; a warning of a learning rate that is not theirs."""
    rank, rate = settings.adapter.lora_rank, settings.optim.learning_rate
    if rank is None:
        return
    if settings.loop.compile:
        raise RsforgeError(
            "RSF-U005", "--compile compiles the network that is trained, and adapters are none of their own",
            where="--compile, --lora-rank", fix="leave --compile out",
        )  # fmt: skip
    if console.origins.get("learning_rate", DEFAULT).startswith(DEFAULT):
        console.warn(
            f"the learning rate {rate:g} is meant for the whole U-Net; adapters take about {ADAPTER_RATE:g} (--lr)"
        )
