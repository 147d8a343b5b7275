"""The model that a training begins with, and what its checkpoints must say so that it is found again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.pretrained.hub_download import HubChoice, find_model
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.recipes.training.job import Compute, Partner
from rsforge.settings.finetune import FinetuneSettings, StartSettings

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class BaseModel:
    """``model`` as it is before the training, the ``partners`` it is made of, and what checkpoints say of it.

    ``learns_texts``: its text tower has learnt nothing yet, and is trained too.
    """

    model: PretrainedModel
    partners: dict[str, Partner] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    learns_texts: bool = False


def check_pretrained(settings: FinetuneSettings, model: Path) -> None:
    """RSF-U005 for a pretrained ``model`` that would be replaced, or copied."""
    if model.exists() and model.resolve() == settings.run.output_dir.resolve():
        raise RsforgeError(
            "RSF-U005", "the pretrained model is the output folder, where the new one would take its place",
            where="--pretrained-model, --output-dir", found=str(model), fix="name another --output-dir",
        )  # fmt: skip
    if settings.run.copy_partners:
        raise RsforgeError(
            "RSF-U005", "a pretrained model is not copied", where="--copy-partners",
            fix="leave it out: the whole model is written into the output folder at the end",
        )  # fmt: skip


def open_pretrained(settings: FinetuneSettings, compute: Compute, console: Console) -> BaseModel:
    """The pretrained model of the settings, for images of their size; RSF-U005 for a size that it cannot take."""
    options, size = settings.model, settings.data.image_size
    choice = HubChoice(options.download, options.revision, options.variant, options.allow_pickle)
    path = find_model(str(options.pretrained_model), choice, console)
    model = load_frozen(path, options)
    for note in model.notes:
        console.warn(note)
    networks = model.networks
    try:
        networks.autoencoder.latent_shape(size)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--image-size") from error
    console.say(f"model      {path}, which predicts {model.prediction} and drew images of {model.image_size} pixels")
    # What it is trained on is what it draws by default afterwards.
    sized = replace(model, networks=replace(networks, latent_size=size // networks.autoencoder.factor))
    digest = digest_frozen(model, unet=settings.adapter.lora_rank is not None)
    return BaseModel(sized.to(compute.device), {PRETRAINED: Partner(path, digest)})


def load_frozen(path: Path, options: StartSettings) -> PretrainedModel:
    """The model at ``path``, read as ``options`` say."""
    return load_pretrained(
        path, allow_pickle=options.allow_pickle, variant=options.variant, tokenizer=options.tokenizer,
        prediction=options.prediction, dtype=torch.float32,
    )  # fmt: skip


def digest_frozen(model: PretrainedModel, *, unet: bool = False) -> str:
    """The digest of what a fine-tuning leaves as it is: autoencoder and text tower, and ``unet`` beside adapters."""
    parts = {"vae": model.autoencoder.state_dict(), "text_encoder": model.text_encoder.state_dict()}
    parts |= {"unet": model.unet.state_dict()} if unet else {}
    return checkpoint.digest_weights(parts)
