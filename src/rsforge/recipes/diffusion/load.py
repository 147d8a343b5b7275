"""Denoisers from their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.interfaces import Denoiser
from rsforge.recipes.former_checkpoints import stored_partners
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild

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
