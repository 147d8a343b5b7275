"""Denoisers from their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast, get_args

import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.models.conditioning import Conditioning
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.noise.process import Prediction
from rsforge.noise.schedules import table_of
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild
from rsforge.recipes.stored_partners import stored_partners
from rsforge.samplers.timesteps import StepGrid

DIFFUSION_ROLE = "Diffusion checkpoint"
REQUIRED = (
    "architecture", "image_size", "latent_shape", "prediction", "schedule", "latent_mean", "latent_std", "partners",
)  # fmt: skip


def load_denoiser(
    path: Path,
    device: torch.device,
    *,
    averaged: bool,
    kind: str = "diffusion",
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
