"""Denoisers without a network that a checkpoint stores: what they denoise, and images of their distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rsforge.errors import RsforgeError
from rsforge.metrics.gaussian_denoiser import draw_samples
from rsforge.noise.gaussian_denoiser import GaussianDenoiser
from rsforge.recipes.diffusion.encode_latents import GAUSSIAN, SCALE_MIXTURE
from rsforge.recipes.diffusion.pipeline import LatentPipeline
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.seeds import derive

STANDARD_NORMAL = "standard_normal"
MEANINGS = {
    GAUSSIAN: "the best denoiser of a normal distribution with the full covariance of the training latents, in closed "
    "form; its images are decoded draws of that distribution",
    SCALE_MIXTURE: "the same of latents that are normally distributed up to a scale of their own",
    STANDARD_NORMAL: "the same of independent standardised latents; its images are decoded noise",
}
ABSENT = "the checkpoint stores none: it was trained with --no-latent-cache, on one image, or by an earlier version"
Forms = Mapping[str, GaussianDenoiser]


def restore_closed_forms(state: Mapping[str, Any], latent_shape: tuple[int, ...], device: torch.device) -> Forms:
    """The closed forms of a checkpoint by name, none where it stores none; RSF-C003 where they do not fit its latents.

    They are stored as ``describe_gaussian`` of the training says.
    """
    stored = state.get(KEY) or {}
    if GAUSSIAN not in stored:
        return {}
    try:
        gaussian = GaussianDenoiser(**stored[GAUSSIAN]).to(device)
        mixture = replace(gaussian, **stored[SCALE_MIXTURE]).to(device)
        for form in (gaussian, mixture):
            form(torch.zeros(1, *latent_shape, device=device), torch.full((1,), 0.5, device=device))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"[:160]
        what = "the closed forms of the checkpoint do not fit its latents"
        raise RsforgeError("RSF-C003", what, where=KEY, found=found) from error
    return {GAUSSIAN: gaussian, SCALE_MIXTURE: mixture}


def draw_latents(forms: Forms, pipeline: LatentPipeline, count: int, seed: int) -> dict[str, Tensor]:
    """So many standardised latents ``(count, *latent)`` of each distribution, on the CPU, independent noise last."""
    shape, drawn = pipeline.latent_shape, {}
    for name, form in forms.items():
        generator = torch.Generator().manual_seed(derive(seed, name))
        drawn[name] = draw_samples(form.to(torch.device("cpu")), count, generator).view(count, *shape)
    generator = torch.Generator().manual_seed(derive(seed, STANDARD_NORMAL))
    return {**drawn, STANDARD_NORMAL: torch.randn(count, *shape, generator=generator)}
