"""A CycleGAN checkpoint that was never trained, for what only needs one to be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.engine import checkpoint
from rsforge.models.patch_gan import PatchCritic
from rsforge.models.pix2pix import Pix2PixUNet, depth_for


def write_checkpoint(
    path: Path, *, image_size: int = 32, sar_channels: int = 1, radiometry: Radiometry = EIGHT_BIT, seed: int = 0
) -> dict[str, Any]:
    """Write and return the state of a CycleGAN of tiny networks, drawn by ``seed``."""
    torch.manual_seed(seed)
    common = {"depth": depth_for(image_size), "base": 4}
    nets = {
        "gen_AB": Pix2PixUNet(in_channels=sar_channels, out_channels=3, **common),
        "gen_BA": Pix2PixUNet(in_channels=3, out_channels=sar_channels, **common),
        "disc_X": PatchCritic(in_channels=3 + sar_channels, base=4),
        "disc_Y": PatchCritic(in_channels=3 + sar_channels, base=4),
    }
    state = {
        "kind": "cyclegan",
        "architecture": {name: net.architecture for name, net in nets.items()},
        "image_size": image_size,
        "sar_channels": sar_channels,
        "paired": True,
        "radiometry": radiometry.as_dict(),
        "normalisation": {"low": -1.0, "high": 1.0},
        "settings": {},
        "images": {"split": "", "train": 8, "held_out": 2},
        "progress": {"step": 8, "epoch": 1},
        "nets": {name: net.state_dict() for name, net in nets.items()},
        "parts": {},
    }
    checkpoint.save(path, state)
    return state
