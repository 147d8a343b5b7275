"""A model of a few thousand random weights, images with a split whose names tell classes, and a CLIP model to judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from rsforge.models import resnet18
from tests.worlds.captioned_folder import write_captioned_folder
from tests.worlds.clip_model import write_clip
from tests.worlds.commands import rsforge
from tests.worlds.pretrained_model import write_model

CLASSES = ("river", "airport")
EVALUATE = (
    "diffusion evaluate --pipeline {} --data-dir {} --num-inference-steps 2 --guidance-scale 2 --device cpu "
    "--resamples 100 --seed 3 --json "
)


class EvaluationWorld(NamedTuple):
    model: Path
    images: Path
    """Sixteen, of which five are the test subset of the split."""
    clip: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> EvaluationWorld:
    base = tmp_path_factory.mktemp("text evaluation")
    images = write_captioned_folder(base / "images", 16, classes=CLASSES)
    assert rsforge("data split --data-dir {} --by scene --val 0.2 --test 0.3 --quiet", images) == 0
    return EvaluationWorld(write_model(base / "sd"), images, write_clip(base / "clip"))


@pytest.fixture
def measured(world, tmp_path, monkeypatch, capsys) -> Callable[..., tuple[dict[str, Any], str]]:
    """What a command line with ``more`` told, and what it said on the way; classifiers are narrow."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(resnet18, "WIDTHS", (4, 4, 8, 8))

    def run(more="", *paths, code=0, model=world.model, images=world.images):
        capsys.readouterr()
        assert rsforge(EVALUATE + more, model, images, *paths) == code
        out, err = capsys.readouterr()
        return json.loads(out or err.splitlines()[-1]), err

    return run
