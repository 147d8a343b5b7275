"""``rsforge diffusion train``: what its checkpoints say of how it was judged, and go on with."""

from __future__ import annotations

import json
import math
import shutil
from types import SimpleNamespace

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.engine.cadence import Moment
from rsforge.recipes.diffusion.train import preview, warn_of_signal_left
from rsforge.recipes.diffusion.train_sar import preview as preview_sar
from rsforge.recipes.tracking.loss_plots import closed_rows
from rsforge.settings.diffusion import NoiseSettings
from tests.worlds.commands import DIFFUSION, DRAWS, rsforge
from tests.worlds.consoles import RecordingConsole

LINE = f"diffusion train --vae {{}} --image-dir {{}} --output-dir {{}} {DIFFUSION.removesuffix(DRAWS)}"


@pytest.mark.parametrize(("options", "draws"), [("", 172), ("--validation-draws 6", 6)])
def test_a_run_goes_on_with_the_draws_of_its_validation(job, tmp_path, capfd, options, draws):
    where = (job.vae / "best_model.pt", job.tiles, tmp_path / "models")
    assert rsforge(f"{LINE} {options} --epochs 1", *where) == 0
    assert torch.load(where[2] / "latest_model.pt", weights_only=True)["validation_draws"] == draws
    shutil.copytree(where[2], tmp_path / "other")
    other = (*where[:2], tmp_path / "other")
    assert rsforge(f"{LINE} --validation-draws 8 --epochs 2 --resume", *other) == 4
    assert "RSF-C008" in capfd.readouterr().err
    assert rsforge(f"{LINE} {options} --epochs 2 --resume", *where) == 0
    assert torch.load(where[2] / "latest_model.pt", weights_only=True)["validation_draws"] == draws


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timesteps": 200}, "the last of 200 timesteps of --schedule linear still holds 36% of the signal"),
        ({"timesteps": 200, "prediction": "v", "schedule": "scaled_linear"}, "holds 58%"),
        ({"timesteps": 200, "prediction": "v", "zero_terminal_snr": True}, ""),
        ({"timesteps": 200, "schedule": "cosine"}, ""),
        ({"timesteps": 20, "prediction": "flow"}, ""),
        ({}, ""),
        ({"schedule": "scaled_linear"}, ""),
    ],
)
def test_a_schedule_that_ends_before_the_signal_does_is_named(options, says):
    """Images are drawn from noise alone: a network that never saw it draws grey ones, without a word."""
    console = RecordingConsole()
    warn_of_signal_left(NoiseSettings(**options), console)
    assert bool(console.warned) == bool(says)
    assert says in "".join(console.warned)


def test_a_training_says_so(job, tmp_path, capfd):
    where = (job.vae / "best_model.pt", job.tiles, tmp_path / "models")
    assert rsforge(f"{LINE} --dry-run", *where) == 0
    assert "the last of 40 timesteps of --schedule linear still holds 82%" in capfd.readouterr().err


def test_the_closed_form_is_measured_beside_the_network_and_stored(job):
    state = checkpoint.load(job.diffusion / "best_model.pt")
    stored, shape = state["baselines"]["gaussian"], state["latent_shape"]
    assert stored["mean"].shape == (math.prod(shape),) and stored["basis"].shape[0] == math.prod(shape)
    rows = closed_rows(job.diffusion / "journal.jsonl")
    measured = {row["val/gaussian"] for row in rows}
    assert len(measured) == 1 and measured != {row["val/linear"] for row in rows}


OVER = f"{LINE} --gaussian-path --prediction v --schedule cosine --validation-draws 8"


def test_over_the_closed_form_the_first_validation_is_that_of_the_closed_form(job, tmp_path, capfd):
    where = (job.vae / "best_model.pt", job.tiles, tmp_path / "models")
    line = f"{OVER} --lr 1e-9 --epochs 1"
    assert rsforge(line, *where) == 0
    row, _ = closed_rows(where[2] / "journal.jsonl")  # of the start, and of the epoch
    for figure in ("", "_q1", "_q2", "_q3", "_q4"):
        assert row[f"val/loss{figure}"] == pytest.approx(row[f"val/scale_mixture{figure}"], rel=1e-4)
    assert row["val/gaussian"] != row["val/scale_mixture"]
    judged = json.loads((where[2] / "judged.json").read_text())["judged"]
    assert {"loss", "loss_q1", "loss_q2", "loss_q3", "loss_q4"} <= judged.keys()
    assert {"gaussian", "scale_mixture"} <= judged["loss_q4"].keys() and judged["better"] is False
    line += " --overwrite --no-latent-cache"
    assert rsforge(line, *where) == 2
    assert "leave out --no-latent-cache or --gaussian-path" in capfd.readouterr().err


def test_what_the_network_adds_counts_as_much_as_held_out_images_bear_out(job, tmp_path):
    """The gain is stored with the weights that it is of, and a run goes on to the bit."""
    ends = []
    for name, parts in (("whole", ["--epochs 3"]), ("halves", ["--epochs 1", "--epochs 3 --resume"])):
        for part in parts:
            where = (job.vae / "best_model.pt", job.tiles, tmp_path / name)
            assert rsforge(f"{OVER} --lr 3e-3 {part}", *where) == 0
        ends.append(checkpoint.load(tmp_path / name / "latest_model.pt"))
    gain = ends[0]["nets"]["denoiser"]["gain"]
    assert not torch.equal(gain, torch.ones(4)) and 0 <= gain.min() <= gain.max() <= 1
    for name, weights in ends[0]["nets"]["denoiser"].items():
        assert torch.equal(weights, ends[1]["nets"]["denoiser"][name]), name
    rows = closed_rows(tmp_path / "whole" / "journal.jsonl")
    assert rows == closed_rows(tmp_path / "halves" / "journal.jsonl")
    assert all(row["val/loss"] < 1.02 * row["val/scale_mixture"] for row in rows)


def test_the_best_model_is_judged_beside_the_closed_forms(job):
    last = json.loads((job.diffusion / "judged.json").read_text())
    told = last["judged"]
    assert told["side"] == "val" and {"model", "gaussian", "standard_normal", "low", "high"} <= told["loss"].keys()
    names = ("gaussian", "scale_mixture", "standard_normal")
    assert told["better"] == (told["loss"]["model"] < min(told["loss"][name] for name in names))
    assert "on 3 images that chose it." in last["verdict"]


class NoNumbers:
    """A pipeline, of images alone or of SAR, that draws what is not finite."""

    prediction, alphas_cumprod = "eps", torch.ones(4)

    @property
    def latents(self):
        return self

    def walk(self, sampler=None, num_steps=None):
        return None

    def draw(self, *args, **options):
        return torch.full((4, 3, 8, 8), torch.nan)


def test_previews_without_numbers_are_warned_of(tmp_path):
    settings = SimpleNamespace(run=SimpleNamespace(seed=0, output_dir=tmp_path))
    console = RecordingConsole()
    (tmp_path / "samples").mkdir()
    preview(settings, NoNumbers(), console, Moment(2))
    sample = [(torch.zeros(1, 8, 8), torch.zeros(3, 8, 8))] * 4
    pairs = SimpleNamespace(held_out=[], plain={(0, k): pair for k, pair in enumerate(sample)})
    preview_sar(settings, NoNumbers(), SimpleNamespace(pairs=pairs, prompts=[["field"] * 4, []]), console, Moment(2))
    assert len(console.warned) == 2 and all("4 images are not finite" in line for line in console.warned)
