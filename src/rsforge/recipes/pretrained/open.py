"""The pretrained model that a command was given, with its adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rsforge.recipes.console import Console
from rsforge.recipes.pretrained.adapters import merge_adapters
from rsforge.recipes.pretrained.hub_download import HubChoice, find_model
from rsforge.recipes.pretrained.load import load_pretrained
from rsforge.recipes.pretrained.model import PretrainedModel
from rsforge.settings.pretrained import PretrainedModelSettings


def open_pretrained(
    pipeline: Path, settings: PretrainedModelSettings, device: torch.device, console: Console
) -> tuple[PretrainedModel, list[dict[str, Any]]]:
    """The model ``pipeline`` on ``device``, its adapters merged into it, and their records; says what is of note."""
    choice = HubChoice(settings.download, settings.revision, settings.variant, settings.allow_pickle)
    path = find_model(pipeline, choice, console)
    model = load_pretrained(
        path, allow_pickle=settings.allow_pickle, variant=settings.variant, tokenizer=settings.tokenizer,
        prediction=settings.prediction,
    )  # fmt: skip
    for note in model.notes:
        console.warn(note)
    adapters = merge_adapters(model, settings.adapters, console)
    return model.to(device), adapters
