"""Untrained generators in checkpoints; drawn pairs for them, and no weights of others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rsforge.data.sar.radiometry import Radiometry
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.evaluation import learned_metrics
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.evaluation import EVALUATE, Crumbs
from tests.worlds.translation import DB, Same
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


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory) -> Path:
    """Untrained generators: 8-bit SAR of one band, and two bands in dB."""
    folder = tmp_path_factory.mktemp("checkpoints")
    write_checkpoint(folder / "one.pt")
    write_checkpoint(folder / "two.pt", sar_channels=2, radiometry=DB)
    write_checkpoint(folder / "dn.pt", radiometry=Radiometry("dn", 0, 4000))
    write_checkpoint(folder / "linear.pt", radiometry=Radiometry("linear", -25, 0))
    return folder


@pytest.fixture
def same(monkeypatch):
    """Have every checkpoint give the generator ``Same``."""

    def use(until: int = 0) -> None:
        def given(path, device, direction):
            return Same(until), load_generator(path, device, direction)[1]

        monkeypatch.setattr("rsforge.recipes.cyclegan.translate.load_generator", given)

    return use
