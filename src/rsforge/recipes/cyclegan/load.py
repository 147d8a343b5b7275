"""CycleGAN generators from their checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from rsforge.engine import checkpoint
from rsforge.models.interfaces import Translator
from rsforge.recipes.inference.checkpoints import LoadedModel, rebuild

CYCLEGAN_ROLE = "CycleGAN checkpoint"
REQUIRED = ("architecture", "image_size", "sar_channels", "radiometry")


GENERATORS = {"sar2optical": "gen_AB", "optical2sar": "gen_BA"}


def load_generator(path: Path, device: torch.device, direction: str) -> tuple[Translator, LoadedModel]:
    """The generator of one direction, ``sar2optical`` or ``optical2sar``."""
    state = checkpoint.load(path, kind="cyclegan", role=CYCLEGAN_ROLE)
    restored = rebuild(state, GENERATORS[direction], path, averaged=True, required=REQUIRED)
    return cast(Translator, restored.network.to(device)), restored
