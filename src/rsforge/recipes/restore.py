"""Networks from their checkpoints alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rsforge.engine import checkpoint
from rsforge.engine.average import averaged_weights
from rsforge.errors import RsforgeError
from rsforge.models.catalogue import build
from rsforge.models.interfaces import Autoencoder, Denoiser
from rsforge.models.pix2pix import Pix2PixUNet

VAE_ROLE = "VAE checkpoint"
DIFFUSION_ROLE = "Diffusion checkpoint"
CYCLEGAN_ROLE = "CycleGAN checkpoint"
GENERATORS = {"sar2optical": "gen_AB", "optical2sar": "gen_BA"}


@dataclass(frozen=True)
class Restored:
    """A frozen network, what its checkpoint says, and the digest of the weights in use."""

    network: nn.Module
    state: dict[str, Any]
    digest: str


def _network(state: dict[str, Any], name: str, path: Path, *, averaged: bool) -> Restored:
    missing = [key for key in ("architecture", "nets", "parts", "image_size") if key not in state]
    if missing:
        raise RsforgeError("RSF-C003", "the checkpoint does not describe a model", where=str(path),
                           found=f"no {', '.join(missing)}")  # fmt: skip
    architecture = state["architecture"]
    # Of one network, or of each by its name.
    network = build(architecture.get(name, architecture))
    weights: dict[str, Tensor] = dict(state["nets"].get(name, {}))
    if averaged:
        weights |= averaged_weights(state["parts"].get("ema", {}), name)
    checkpoint.load_weights(network, weights, where=str(path))
    digest = checkpoint.digest_weights(network.state_dict())
    return Restored(network.eval().requires_grad_(False), state, digest)


def autoencoder(path: Path, device: torch.device) -> tuple[Autoencoder, Restored]:
    """The autoencoder of a checkpoint, with averaged weights where it has them."""
    restored = _network(checkpoint.load(path, kind="vae", role=VAE_ROLE), "autoencoder", path, averaged=True)
    return cast(Autoencoder, restored.network.to(device)), restored


def denoiser(path: Path, device: torch.device, *, averaged: bool) -> tuple[Denoiser, Restored]:
    """The denoiser of a checkpoint."""
    state = checkpoint.load(path, kind="diffusion", role=DIFFUSION_ROLE)
    restored = _network(state, "denoiser", path, averaged=averaged)
    return cast(Denoiser, restored.network.to(device)), restored


def check_partners(diffusion: Restored, vae: Restored, *, where: str) -> None:
    """RSF-C006 unless the denoiser was trained on this autoencoder's latents."""
    wanted = diffusion.state["vae"]["digest"]
    if vae.digest != wanted:
        raise RsforgeError(
            "RSF-C006",
            "the autoencoder is not the one that the diffusion model was trained with",
            where=where,
            found=f"weights {vae.digest[:12]}, trained with {wanted[:12]}",
        )


def generator(path: Path, device: torch.device, direction: str) -> tuple[Pix2PixUNet, Restored]:
    """The generator of one direction, ``sar2optical`` or ``optical2sar``."""
    state = checkpoint.load(path, kind="cyclegan", role=CYCLEGAN_ROLE)
    restored = _network(state, GENERATORS[direction], path, averaged=True)
    return cast(Pix2PixUNet, restored.network.to(device)), restored
