"""Without weights of VGG16 a training goes without what needs them, says so, and keeps to it when it goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.models.vgg import VggFeatures
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.training import vgg_weights
from rsforge.recipes.vae.train import train
from rsforge.settings.vae import VaeTrainSettings
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole
from tests.worlds.main_job import FORMER

VAE = (
    "vae train --data-dir tiles --image-size 16 --channels 2,4 --latent-dim 4 --num-workers 0 --batch-size 4 "
    "--log-every 1 --report-to none --output-dir run "
)
GAN = (
    "cyclegan train --data-dir pairs --image-size 32 --base-width 1 --batch-size 4 --num-workers 0 --report-to none "
    "--log-every 1 --output-dir run "
)
LINES = pytest.mark.parametrize(
    ("line", "what", "figure"),
    [(VAE, "the perceptual loss", "perceptual"), (GAN, "the content loss", "unweighted/G_Loss_Content_AB")],
    ids=["vae", "cyclegan"],
)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16-own.pth"
    torch.manual_seed(0)
    torch.save(VggFeatures().state_dict(), path)
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch's own, with tiles and pairs in the current folder."""
    for name in ("tiles", "pairs"):
        shutil.copytree(FORMER / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def stored(name: str = "run"):
    state = checkpoint.load(Path(name, "latest_model.pt"))
    section = "loss" if state["kind"] == "cyclegan" else "autoencoder"
    return state["settings"][section]["perceptual"], state["decided"]


def steps(figure: str, folder: str = "run") -> list[float]:
    rows = [row for row in read(Path(folder, "journal.jsonl")) if not row.get("closed")]
    assert rows
    return [row.get(figure, 0.0) for row in rows]


@LINES
def test_without_weights_it_trains_without_and_nobody_misses_the_line(cache, capsys, line, what, figure):
    assert rsforge(line + "--epochs 1 --quiet") == 0
    err = capsys.readouterr().err
    assert f"warning: training WITHOUT {what}" in err and "rsforge weights fetch vgg16" in err and str(cache) in err
    value, decided = stored()
    assert value == "no" and decided["perceptual"].startswith("no: no weights of VGG16")
    assert not any(steps(figure))
    settings = json.loads(Path("run/settings.json").read_text())
    assert settings["origins"]["perceptual"].startswith("default: no weights of VGG16")
    assert rsforge("info run/best_model.pt --json") == 0
    assert json.loads(capsys.readouterr().out)["decided"] == decided


@LINES
def test_a_run_without_goes_on_without_though_weights_have_come(cache, vgg, capsys, line, what, figure):
    assert rsforge(line + "--epochs 2 --output-dir whole") == 0
    assert rsforge(line + "--epochs 1") == 0
    (cache / vgg.name).symlink_to(vgg)
    assert rsforge(f"{line.split(' --')[0]} --resume run/latest_model.pt --epochs 2 --perceptual auto") == 0
    whole, resumed = (checkpoint.load(Path(name, "latest_model.pt")) for name in ("whole", "run"))
    assert checkpoint.digest_weights(whole["nets"]) == checkpoint.digest_weights(resumed["nets"])
    assert stored() == stored("whole") and not any(steps(figure))
    assert rsforge(f"{line.split(' --')[0]} --resume run/latest_model.pt --epochs 3 --perceptual") == 4
    assert "--perceptual was no, is yes" in capsys.readouterr().err


@LINES
def test_with_weights_it_trains_with_them_and_cannot_go_on_without(cache, vgg, capsys, line, what, figure):
    (cache / vgg.name).symlink_to(vgg)
    assert rsforge(line + "--epochs 1") == 0
    value, decided = stored()
    assert value == "yes" and str(cache / vgg.name) in decided["perceptual"] and all(steps(figure))
    assert "WITHOUT" not in capsys.readouterr().err
    (cache / vgg.name).unlink()
    torch.manual_seed(1)
    torch.save(VggFeatures().state_dict(), cache / "vgg16-other.pth")
    assert rsforge(f"{line.split(' --')[0]} --resume run/latest_model.pt --epochs 2") == 4
    err = capsys.readouterr().err
    assert "RSF-C006" in err and "trained with another vgg16" in err
    (cache / "vgg16-other.pth").unlink()
    assert rsforge(f"{line.split(' --')[0]} --resume run/latest_model.pt --epochs 2") == 6
    err = capsys.readouterr().err
    assert "RSF-E007" in err and "with which this run began" in err and "--no-perceptual" not in err


@LINES
def test_what_was_asked_for_is_refused_and_what_was_declined_not_mentioned(cache, capsys, line, what, figure):
    assert rsforge(line + "--epochs 1 --perceptual") == 6
    err = capsys.readouterr().err
    assert "RSF-E007" in err and "rsforge weights fetch vgg16" in err and "--no-perceptual" in err
    assert rsforge(line + "--epochs 1 --no-perceptual") == 0
    assert "VGG16" not in capsys.readouterr().err and stored() == ("no", {})


def test_figures_that_need_the_content_loss_ask_for_it(cache, capsys):
    assert rsforge(GAN + "--best-by content") == 6
    assert "RSF-E007" in capsys.readouterr().err
    assert rsforge(GAN + "--best-by content --no-perceptual") == 2
    assert "RSF-U005" in capsys.readouterr().err


def test_a_program_that_resumes_keeps_the_decision_too(cache, vgg):
    assert rsforge(VAE + "--epochs 1") == 0
    (cache / vgg.name).symlink_to(vgg)
    told = checkpoint.load(Path("run/latest_model.pt"))["settings"]
    told["autoencoder"]["perceptual"] = "auto"
    told["run"]["resume"], told["loop"]["epochs"] = "auto", 2
    settings = VaeTrainSettings.model_validate(told)
    assert train(settings, SilentConsole())["epochs"] == 2
    assert stored()[0] == "no" and not any(steps("perceptual"))


def test_the_first_process_decides_for_all(cache, vgg):
    """Machines that have the weights beside one that has not must not take other steps."""

    class Second(SingleProcess):
        rank, size = 1, 2

        def from_first(self, value):
            return [""]

    decision = vgg_weights.decide(vgg, None, Second(), RecordingConsole(), what="the loss")
    assert decision.value == "no"
