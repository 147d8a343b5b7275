"""What may change when a run goes on: what does not move it, what a remedy asks for; and what is said of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.output_names import ENDING
from rsforge.recipes.training.changes import stored_values
from rsforge.recipes.training.output_dir import read_ending, record_ending
from rsforge.settings.clip import ClipTrainSettings
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.settings.diffusion import DiffusionTrainSettings
from rsforge.settings.diffusion_sar import SarTrainSettings
from rsforge.settings.finetune import FinetuneSettings
from rsforge.settings.hsi import SpectralTrainSettings
from rsforge.settings.hsi_spatial import SpatialTrainSettings
from rsforge.settings.vae import VaeTrainSettings
from tests.worlds.commands import rsforge
from tests.worlds.main_job import FORMER, VAE, lay_out


@pytest.fixture
def resume(tmp_path, monkeypatch, capsys):
    """Resumes the autoencoder by dry run with more words; what is said, with the error where there is one."""
    lay_out(tmp_path)
    monkeypatch.chdir(tmp_path)

    def call(words: str, code: int = 0) -> str:
        assert rsforge(f"vae train --resume {VAE}/latest_model.pt --dry-run {words}") == code
        return capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    "model",
    [
        ClipTrainSettings, CycleGanTrainSettings, DiffusionTrainSettings, FinetuneSettings, SarTrainSettings,
        SpatialTrainSettings, SpectralTrainSettings, VaeTrainSettings,
    ],
)  # fmt: skip
def test_runs_of_before_have_no_third_side(model):
    assert stored_values({}, model)["test_fraction"] == 0.0
    assert stored_values({"data": {"test_fraction": None}}, model)["test_fraction"] is None


def end_with(code: str) -> None:
    Path(VAE, ENDING).write_text(json.dumps({"code": code, "message": "the loss is not finite"}))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--on-nonfinite skip", "changed    --on-nonfinite was stop, is skip"),
        ("--log-every 3", "changed    --log-every was"),
    ],
)
def test_what_a_remedy_names_may_change_and_is_said(resume, words, line):
    assert line in resume(words)


def test_a_lower_learning_rate_is_the_remedy_of_a_loss_that_was_not_finite(resume):
    assert "RSF-C008" in resume("--learning-rate 1e-5", 4)
    end_with("RSF-I143")
    assert "RSF-C008" in resume("--learning-rate 1e-5", 4)
    end_with("RSF-T001")
    assert "changed    --learning-rate was 0.0001, is 1e-05" in resume("--learning-rate 1e-5")
    assert "RSF-C008" in resume("--learning-rate 1e-2", 4)


def test_what_shapes_the_trajectory_is_refused_by_name(resume):
    said = resume("--batch-size 3 --kl-weight 0.5", 4)
    assert "error[RSF-C008]" in said and "--batch-size was 4, is 3; --kl-weight was 1.0, is 0.5" in said


def test_what_does_not_is_not_worth_a_word(resume):
    said = resume("--num-workers 1 --save-every 7 --report-to none --no-pin-memory")
    assert "changed" not in said and "settings   of vae_vector/latest_model.pt, but for --num-workers" in said


@pytest.mark.parametrize("words", ["--epochs 22", "--max-train-steps 50"])
def test_a_longer_run_at_a_constant_rate_keeps_it(resume, words):
    assert "the learning rate (none) does not depend on the length of the run" in resume(words)


def test_a_longer_run_stretches_a_falling_rate(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lay_out(tmp_path)
    line = "vae train --data-dir tiles --image-size 16 --channels 2,4 --latent-dim 4 --no-perceptual --num-workers 0 "
    line += (
        "--batch-size 4 --report-to none --lr-scheduler {} --lr-min 0 --learning-rate 1e-2 --epochs 2 --output-dir {}"
    )
    for scheduler in ("cosine", "linear"):
        assert rsforge(line.format(scheduler, scheduler)) == 0
        assert rsforge(f"vae train --resume {scheduler}/latest_model.pt --epochs 4 --dry-run") == 0
        said = capsys.readouterr().err
        assert f"changed    --epochs 2 is now --epochs 4: the learning rate ({scheduler}) now ends at step 12" in said
        assert "goes on at 0.005 in place of 0" in said


def test_settings_that_are_unknown_today_are_refused(resume):
    from rsforge.engine import checkpoint

    path = Path(VAE, "latest_model.pt")
    state = checkpoint.load(path)
    state["settings"]["loop"]["of_the_future"] = 3
    checkpoint.save(path, state)
    assert "--of-the-future was 3, is None" in resume("", 4)


@pytest.mark.parametrize("name", ["cyclegan_pairs", "cyclegan_unpaired"])
def test_what_was_never_chosen_is_not_warned_of_when_a_run_goes_on(tmp_path, monkeypatch, capsys, name):
    for folder in ("pairs", name):
        shutil.copytree(FORMER / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    assert rsforge(f"cyclegan train --resume {name}/latest_model.pt --epochs 9 --dry-run --json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["origins"]["best_by"] == f"default: checkpoint {name}/latest_model.pt"
    assert "is not used" not in err and "is now --epochs 9: the" in err


def test_an_ending_is_recorded_until_the_run_goes_on(tmp_path):
    with pytest.raises(RsforgeError), record_ending(tmp_path):
        raise RsforgeError("RSF-T001", "the loss is not finite")
    assert read_ending(tmp_path) == "RSF-T001"
    with record_ending(tmp_path):
        assert read_ending(tmp_path) == ""
    assert read_ending(tmp_path) == ""
    (tmp_path / ENDING).write_text("[")
    assert read_ending(tmp_path) == ""
