"""Drawn pairs and an untrained CycleGAN, evaluated without weights of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rsforge.recipes.evaluation import learned_metrics
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.evaluation import EVALUATE, Crumbs
from tests.worlds.vgg16 import write_vgg16


@pytest.fixture(scope="session")
def pair_world(tmp_path_factory) -> Path:
    """24 pairs of 6 scenes."""
    folder = tmp_path_factory.mktemp("measured") / "pairs"
    assert rsforge("data synth --kind pairs --count 24 --size 32 --output-dir {} --quiet", folder) == 0
    return folder


@pytest.fixture(scope="session")
def pair_model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoint") / "best_model.pt"
    write_checkpoint(path, image_size=32)
    return path


@pytest.fixture
def empty_hub(tmp_path, monkeypatch) -> Path:
    """A cache of torch's own, empty."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def measured(pair_model, pair_world, empty_hub, capsys):
    """What a command line with ``more`` told."""

    def run(more: str = "", *paths: object, checkpoint: Path = pair_model, data: Path = pair_world) -> dict:
        capsys.readouterr()
        assert rsforge(f"{EVALUATE} {more} --json", checkpoint, data, *paths) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.fixture(scope="session")
def vgg16(tmp_path_factory) -> Path:
    return write_vgg16(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def crumbs(monkeypatch, tmp_path) -> Path:
    """A file that is read as the weights of Inception, which then is ``Crumbs``."""
    monkeypatch.setattr(learned_metrics, "inception", lambda weights: Crumbs())
    path = tmp_path / "inception.pth"
    torch.save({"w": torch.zeros(1)}, path)
    return path
