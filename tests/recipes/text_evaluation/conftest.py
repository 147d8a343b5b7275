"""A fine-tuned model of a few thousand weights on images whose names tell classes, and a CLIP model to judge them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from tests.worlds.captioned_folder import LINE, write_captioned_folder
from tests.worlds.clip_model import write_clip
from tests.worlds.commands import rsforge
from tests.worlds.pretrained_model import write_model

CLASSES = ("river", "airport")


class EvaluationWorld(NamedTuple):
    model: Path
    images: Path
    run: Path
    """Six steps on the half of the images that was not held out."""
    clip: Path


@pytest.fixture(scope="package")
def text_world(tmp_path_factory) -> EvaluationWorld:
    base = tmp_path_factory.mktemp("text evaluation")
    images = write_captioned_folder(base / "images", 16, classes=CLASSES)
    made = EvaluationWorld(write_model(base / "sd"), images, base / "run", write_clip(base / "clip"))
    assert rsforge(LINE + "--val-fraction 0.4", made.model, made.images, made.run) == 0
    return made


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
