"""Untrained generators in checkpoints, exported and not; drawn pairs for them, and no weights of others."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest
import torch

from rsforge.data.sar.radiometry import Radiometry
from rsforge.engine import checkpoint
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.evaluation import learned_metrics
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan import write_checkpoint
from tests.worlds.evaluation import EVALUATE, Crumbs
from tests.worlds.export import ALL, DECIBELS, NAMES, SIDE, Exported, capturing
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


@pytest.fixture(scope="session")
def source(tmp_path_factory) -> Path:
    """A checkpoint: towards optical as usual, towards SAR with attention and batch norm."""
    path = tmp_path_factory.mktemp("source") / "best_model.pt"
    state = write_checkpoint(path, image_size=SIDE, sar_channels=2, radiometry=DECIBELS)
    nets = {
        "gen_AB": Pix2PixUNet(in_channels=2, out_channels=3, depth=4, base=4),
        "gen_BA": Pix2PixUNet(in_channels=3, out_channels=2, depth=4, base=4, norm="batch", attention=True),
    }
    with torch.no_grad():
        nets["gen_BA"].attention.gamma.fill_(0.7)
        nets["gen_BA"].train()(torch.rand(4, 3, SIDE, SIDE))
        for net in nets.values():
            net.to_image.weight.mul_(10)
    state["architecture"] |= {name: net.architecture for name, net in nets.items()}
    state["nets"] |= {name: net.state_dict() for name, net in nets.items()}
    checkpoint.save(path, state)
    return path


@pytest.fixture(scope="session", params=list(NAMES))
def exported(request, source, tmp_path_factory) -> Exported:
    (name, given, made), free = NAMES[request.param], request.param == "sar2optical"
    folder = tmp_path_factory.mktemp("exported")
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), capturing(free=free):
        assert rsforge(ALL + request.param, source, folder) == 0
    result, told = (stream.seek(0) or stream.read() for stream in (out, err))
    net, _ = load_generator(source, torch.device("cpu"), request.param)
    card = json.loads((folder / f"{name}.json").read_text())
    return Exported(folder, name, given, made, free, net, card, json.loads(result), told)
