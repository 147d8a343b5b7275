"""Autoencoders from their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from rsforge.engine import checkpoint
from rsforge.models.interfaces import Autoencoder
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild

VAE_ROLE = "VAE checkpoint"
REQUIRED = ("architecture", "image_size")


def load_autoencoder(path: Path, device: torch.device) -> tuple[Autoencoder, LoadedModel]:
    """The autoencoder of a checkpoint, with averaged weights where it has them."""
    restored = rebuild(
        checkpoint.load(path, kind="vae", role=VAE_ROLE), "autoencoder", path, averaged=True, required=REQUIRED
    )
    return cast(Autoencoder, restored.network.to(device)), restored
