"""``rsforge diffusion``: diffusion in the latent space of an autoencoder."""

from __future__ import annotations

from typing import Any

from rsforge.cli.bridge import command
from rsforge.cli.group import group
from rsforge.cli.show import Show
from rsforge.settings.diffusion import DiffusionTrainSettings

app = group("Train diffusion models.")


@command(
    app,
    "diffusion train",
    DiffusionTrainSettings,
    writes=True,
    epilog="Example: rsforge diffusion train --vae vae_models/best_model.pt --data-dir training_data/corel/corel_all",
)
def train(settings: DiffusionTrainSettings, show: Show) -> dict[str, Any]:
    """Train a diffusion model on the latents of a trained autoencoder."""
    from rsforge.recipes.diffusion.train import train as recipe

    return recipe(settings, show)
