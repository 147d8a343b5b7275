"""Denoisers from their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.schedules import table_of
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild
from rsforge.recipes.stored_partners import stored_partners
from rsforge.samplers.timesteps import StepGrid

DIFFUSION_ROLE = "Diffusion checkpoint"
REQUIRED = (
    "architecture", "image_size", "latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "partners",
)  # fmt: skip


def load_denoiser(path: Path, device: torch.device, *, averaged: bool) -> tuple[Denoiser, LoadedModel]:
    """The denoiser of a checkpoint."""
    state = checkpoint.load(path, kind="diffusion", role=DIFFUSION_ROLE)
    state["partners"] = stored_partners(state)
    restored = rebuild(state, "denoiser", path, averaged=averaged, required=REQUIRED)
    return cast(Denoiser, restored.network.to(device)), restored


def stored_pipeline(state: Mapping[str, Any], denoiser: Denoiser, autoencoder: Autoencoder) -> LatentPipeline:
    """The pipeline that a checkpoint describes, of its denoiser and the autoencoder it was trained with."""
    device = next(denoiser.parameters()).device
    return LatentPipeline(
        denoiser,
        autoencoder,
        table_of(state["schedule"]),
        state["prediction"],
        tuple(state["latent_shape"]),
        state["latent_mean"].to(device),
        state["latent_std"].to(device),
        StepGrid.from_schedule(state["schedule"]),
        Conditioning.from_dict(state.get("conditioning", {})),
    )


def check_partners(diffusion: LoadedModel, vae: LoadedModel, *, where: str) -> None:
    """RSF-C006 unless the denoiser was trained on this autoencoder's latents."""
    wanted = diffusion.state["partners"]["vae"]["digest"]
    if vae.digest != wanted:
        raise RsforgeError(
            "RSF-C006",
            "the autoencoder is not the one that the diffusion model was trained with",
            where=where,
            found=f"weights {vae.digest[:12]}, trained with {wanted[:12]}",
        )
