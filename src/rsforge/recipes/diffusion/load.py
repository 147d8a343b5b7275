"""Denoisers from their checkpoints."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.process import Prediction
from rsforge.noise.schedules import table_of
from rsforge.recipes.diffusion.find_partner import AUTOENCODER, check_partner, find_autoencoder
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild
from rsforge.recipes.stored_partners import stored_partners
from rsforge.recipes.vae.load import load_autoencoder
from rsforge.samplers.timesteps import StepGrid

KIND = "diffusion"
DIFFUSION_ROLE = "Diffusion checkpoint"
REQUIRED = (
    "architecture", "image_size", "latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "partners",
)  # fmt: skip


EVALUATIONS = {
    "diffusion": ("evaluate-unconditional", "--diffusion-checkpoint"),
    "diffusion-sar": ("evaluate", "--model-checkpoint"),
    "diffusion-text": ("evaluate", "--pipeline"),
}
"""The commands of ``rsforge diffusion`` that measure checkpoints, by their kind, with the option that names one."""


def check_kind(path: Path, kind: str, *, where: str) -> None:
    """RSF-C004 where ``path`` is a diffusion model of another ``kind``, with the command that measures it."""
    found = str(checkpoint.load_metadata(path, role=DIFFUSION_ROLE).get("kind"))
    if found != kind and found in EVALUATIONS:
        line = shlex.join(["rsforge", "diffusion", *EVALUATIONS[found], str(path)])
        what = f"{path} is a diffusion model of another kind"
        raise RsforgeError(
            "RSF-C004", what, where=where, found=f"kind {found}, where {kind} is needed", fix=f"use `{line}`"
        )


@dataclass(frozen=True)
class OpenModel:
    """What draws images from noise alone, what its checkpoint says, and its autoencoder with its file."""

    pipeline: LatentPipeline
    loaded: LoadedModel
    vae: LoadedModel
    vae_path: Path


def open_model(diffusion: Path, vae: Path | None, device: torch.device, *, averaged: bool) -> OpenModel:
    """The model of two checkpoints that belong together (else RSF-C006), of which the second may be looked for."""
    denoiser, trained = load_denoiser(diffusion, device, averaged=averaged)
    if vae is None:
        vae, (autoencoder, partner) = find_autoencoder(diffusion, trained, device)
    else:
        autoencoder, partner = load_autoencoder(vae, device)
    check_partner(trained, partner, AUTOENCODER, where=str(vae))
    return OpenModel(stored_pipeline(trained.state, denoiser, autoencoder), trained, partner, vae)


def load_denoiser(
    path: Path,
    device: torch.device,
    *,
    averaged: bool,
    kind: str = KIND,
    partners: Sequence[str] = ("vae",),
    required: Sequence[str] = REQUIRED,
) -> tuple[Denoiser, LoadedModel]:
    """The denoiser of a checkpoint of this ``kind``, which names its ``partners`` and says all that is ``required``."""
    state = checkpoint.load(path, kind=kind, role=DIFFUSION_ROLE)
    state["partners"] = stored_partners(state)
    named = [f"partners/{role}/{fact}" for role in partners for fact in ("digest", "path")]
    checkpoint.require(state, named, where=str(path))
    restored = rebuild(state, "denoiser", path, averaged=averaged, required=required)
    return cast(Denoiser, restored.network.to(device)), restored


def stored_pipeline(state: Mapping[str, Any], denoiser: Denoiser, autoencoder: Autoencoder) -> LatentPipeline:
    """The pipeline that a checkpoint describes, of its denoiser and the autoencoder it was trained with.

    RSF-C003 where it describes none.
    """
    try:
        return _build_pipeline(state, denoiser, autoencoder)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        found = f"{type(error).__name__}: {error}"[:160]
        what = "the checkpoint does not describe how it draws"
        raise RsforgeError("RSF-C003", what, where=DIFFUSION_ROLE, found=found) from error


def _build_pipeline(state: Mapping[str, Any], denoiser: Denoiser, autoencoder: Autoencoder) -> LatentPipeline:
    device, shape = next(denoiser.parameters()).device, tuple(state["latent_shape"])
    if state["prediction"] not in get_args(Prediction):
        raise ValueError(f"prediction {state['prediction']}")
    if shape != tuple(autoencoder.latent_shape(state["image_size"])):
        raise ValueError(
            f"latents {shape}, those of the autoencoder are {autoencoder.latent_shape(state['image_size'])}"
        )
    for name in ("latent_mean", "latent_std"):
        state[name].expand(shape)
    return LatentPipeline(
        denoiser,
        autoencoder,
        table_of(state["schedule"]),
        state["prediction"],
        shape,
        state["latent_mean"].to(device),
        state["latent_std"].to(device),
        StepGrid.from_schedule(state["schedule"]),
        Conditioning.from_dict(state.get("conditioning", {})),
    )
