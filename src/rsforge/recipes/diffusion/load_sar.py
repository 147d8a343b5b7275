"""SAR-to-optical diffusion models from their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rsforge.data.prompts import PromptTemplate
from rsforge.data.sar.composite import composite_for
from rsforge.data.sar.radiometry import Radiometry
from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.clip.load import load_text_encoder, stored_template
from rsforge.recipes.console import Console
from rsforge.recipes.diffusion.encode_pairs import Standard
from rsforge.recipes.diffusion.find_partner import (
    AUTOENCODER,
    TEXT_ENCODER,
    check_partner,
    find_autoencoder,
    find_partner,
)
from rsforge.recipes.diffusion.load import load_denoiser, stored_pipeline
from rsforge.recipes.diffusion.pipeline import Walk
from rsforge.recipes.diffusion.sar_pipeline import PromptReader, SarPipeline
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.settings.sample_sar import SarModelSettings

KIND = "diffusion-sar"
REQUIRED = (
    "architecture", "image_size", "latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "partners",
    "sar_latent_mean", "sar_latent_std", "conditioning", "composite", "radiometry", "sar_channels", "prompt_template",
)  # fmt: skip


@dataclass(frozen=True)
class ModelFiles:
    """The checkpoint of a model, and those of its partners where somebody names them."""

    model: Path
    vae: Path | None = None
    clip: Path | None = None


@dataclass(frozen=True)
class SarModel:
    """What draws, what its checkpoint and that of its autoencoder say, and the files it was made of."""

    pipeline: SarPipeline
    loaded: LoadedModel
    vae: LoadedModel
    radiometry: Radiometry
    template: PromptTemplate
    files: ModelFiles

    @property
    def state(self) -> Mapping[str, Any]:
        return self.loaded.state

    @property
    def image_size(self) -> int:
        size: int = self.loaded.state["image_size"]
        return size


def load_sar_model(files: ModelFiles, device: torch.device, *, averaged: bool) -> SarModel:
    """The pipeline of checkpoints that belong together (else RSF-C006); partners are looked for where none is named."""
    denoiser, loaded = load_denoiser(
        files.model, device, averaged=averaged, kind=KIND, partners=("vae", "clip"), required=REQUIRED
    )
    state = loaded.state
    vae, (autoencoder, loaded_vae) = _open_autoencoder(files, loaded, device)
    clip, reader = _open_reader(files, loaded, device)
    if state["composite"] != composite_for(state["sar_channels"]):
        found = f"{state['composite']} of {state['sar_channels']} bands"
        raise RsforgeError("RSF-C003", "the checkpoint does not say how SAR bands enter", where=str(files.model),
                           found=found)  # fmt: skip
    sar = Standard(state["sar_latent_mean"].to(device), state["sar_latent_std"].to(device))
    pipeline = SarPipeline(stored_pipeline(state, denoiser, autoencoder), reader, state["composite"], sar)
    radiometry = Radiometry.from_dict(state["radiometry"], where=str(files.model))
    files = ModelFiles(files.model, vae, clip)
    return SarModel(pipeline, loaded, loaded_vae, radiometry, stored_template(state), files)


def _open_autoencoder(
    files: ModelFiles, trained: LoadedModel, device: torch.device
) -> tuple[Path, tuple[Autoencoder, LoadedModel]]:
    if files.vae is None:
        return find_autoencoder(files.model, trained, device)
    autoencoder, partner = load_autoencoder(files.vae, device)
    check_partner(trained, partner, AUTOENCODER, where=str(files.vae))
    return files.vae, (autoencoder, partner)


def _open_reader(files: ModelFiles, trained: LoadedModel, device: torch.device) -> tuple[Path, PromptReader]:
    def load(path: Path) -> tuple[PromptReader, LoadedModel]:
        encoder, loaded, tokenizer = load_text_encoder(path, device)
        return PromptReader(tokenizer.encode, encoder), loaded

    if files.clip is None:
        return find_partner(files.model, trained, TEXT_ENCODER, load)
    reader, partner = load(files.clip)
    check_partner(trained, partner, TEXT_ENCODER, where=str(files.clip))
    return files.clip, reader


def open_sar_model(settings: SarModelSettings, console: Console) -> tuple[SarModel, Walk]:
    """The model and its partners, on the device; says which files are used. RSF-U005 for steps that do not fit."""
    device = devices.choose(settings.device)
    console.say(f"device     {devices.describe(device)}")
    files = ModelFiles(settings.model_checkpoint, settings.vae_checkpoint, settings.clip_checkpoint)
    model = load_sar_model(files, device, averaged=settings.use_ema)
    for option, given, path in (
        ("--vae-checkpoint", files.vae, model.files.vae), ("--clip-checkpoint", files.clip, model.files.clip),
    ):  # fmt: skip
        if given is None:
            console.say(f"using      {option} {path} (named by {files.model})")
    latents = model.pipeline.latents
    sampler = settings.sampler or ("ddim" if latents.prediction != "flow" else None)
    try:
        walk = latents.walk(sampler, settings.num_inference_steps, eta=settings.eta)
    except ValueError as error:
        raise RsforgeError("RSF-U005", str(error), where="--num-inference-steps") from error
    latents.conditioning.check_guidance(settings.guidance_scale, ["text"])
    return model, walk


def describe_drawing(model: SarModel, walk: Walk, settings: SarModelSettings, *, seed: int) -> dict[str, Any]:
    """What makes the images of a call."""
    return {
        "model_checkpoint": str(model.files.model),
        "weights": model.loaded.digest,
        "averaged": settings.use_ema,
        "vae_checkpoint": str(model.files.vae),
        "clip_checkpoint": str(model.files.clip),
        "seed": seed,
        "sampler": walk.sampler,
        "steps": len(walk.steps),
        "eta": walk.eta,
        "strength": settings.strength,
        "guidance_scale": settings.guidance_scale,
        "samples": settings.samples,
    }
