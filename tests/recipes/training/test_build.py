"""From settings to cadences, learning rate, optimizer, and what waits for warm-ups."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch

from rsforge.engine.cadence import Cadence
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.journal import read
from rsforge.recipes.training.build import (
    _optimizer_options,
    build_cadences,
    build_loader,
    build_rate,
    comparable_after,
)
from rsforge.recipes.training.job import Compute
from rsforge.settings.base import LoopSettings, OptimSettings
from rsforge.settings.vae import VaeTrainSettings
from tests.worlds.commands import VAE, rsforge
from tests.worlds.consoles import RecordingConsole


def test_epochs_are_the_plan_unless_steps_are_given():
    by_epochs = build_cadences(LoopSettings(epochs=3, save_every=2, sample_every=4), 10)
    assert by_epochs.goal == 30 and by_epochs.save == Cadence(epochs=2) and by_epochs.preview == Cadence(epochs=4)
    assert by_epochs.validate == Cadence(epochs=1) and by_epochs.save_seconds == 600
    steps = {"max_train_steps": 7, "save_every_steps": 5, "sample_every_steps": 6, "validate_every_steps": 2}
    by_steps = build_cadences(LoopSettings(epochs=3, save_every_minutes=0, **steps), 10)
    assert by_steps.goal == 7 and by_steps.save == Cadence(steps=5) and by_steps.preview == Cadence(steps=6)
    assert by_steps.validate == Cadence(steps=2) and by_steps.save_seconds == 0


def test_rates_end_at_the_goal_also_inside_an_epoch():
    rate = build_rate(OptimSettings(lr_scheduler="cosine", learning_rate=1.0, lr_min=0.1), per_epoch=10, goal=25)
    assert rate.at(0) == 1.0 and rate.at(25) == pytest.approx(0.1) and rate.at(24) > 0.1


def test_what_is_compared_waits_for_both_warm_ups_and_a_longer_one_is_said():
    spec, console = SimpleNamespace(objective_warmup=2), RecordingConsole()
    assert comparable_after(spec, OptimSettings(lr_warmup_steps=30), 10, 100, console) == 30
    assert comparable_after(spec, OptimSettings(lr_warmup_steps=5), 10, 100, console) == 20
    assert console.warned == []
    assert comparable_after(spec, OptimSettings(lr_warmup_steps=5000), 10, 100, console) == 5000
    [line] = console.warned
    assert "5000 steps" in line and "100" in line


def test_a_run_is_not_stopped_while_the_kl_warms_up(job, tmp_path):
    """With patience 2 the landed rule would have ended it in the middle of the warm-up."""
    line = "vae train --data-dir {} --output-dir {} --epochs 8 --kl-warmup 7 --early-stopping-patience 2 --kl-target 1 "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 0
    rows = [row for row in read(tmp_path / "run" / "journal.jsonl") if row.get("closed")]
    assert len(rows) == 8 and all(row["best"] for row in rows)


def test_a_run_that_ended_in_its_warm_up_and_goes_on_equals_one_that_never_ended(job, tmp_path):
    line = "vae train --data-dir {} --output-dir {} --kl-warmup 5 --kl-target 1 --lr-scheduler plateau "
    line += "--early-stopping-patience 3 " + VAE
    assert rsforge(line + " --epochs 8", job.tiles, tmp_path / "straight") == 0
    assert rsforge(line + " --epochs 3", job.tiles, tmp_path / "extended") == 0
    assert rsforge(line + " --epochs 8 --resume", job.tiles, tmp_path / "extended") == 0
    straight, extended = (
        torch.load(tmp_path / name / "latest_model.pt", weights_only=True) for name in ("straight", "extended")
    )
    for part in ("best", "stopping", "rate"):
        assert straight["parts"][part] == extended["parts"][part]
    assert straight["parts"]["best"]["comparable"] and straight["parts"]["best"]["step"] > 0
    journals = [(tmp_path / name / "journal.jsonl").read_bytes() for name in ("straight", "extended")]
    assert journals[0] == journals[1]


def test_a_run_is_not_flat_while_the_rate_warms_up(job, tmp_path):
    line = "vae train --data-dir {} --output-dir {} --epochs 12 --oscillation-threshold 9 --oscillation-window 2 "
    warmup = "--kl-warmup 0 --lr-warmup-steps 30 "
    assert rsforge(line + warmup + VAE, job.tiles, tmp_path / "run") == 0
    rows = [row for row in read(tmp_path / "run" / "journal.jsonl") if row.get("closed")]
    steps = rows[-1]["step"]
    assert steps > 30 and len(rows) < 12  # flat as soon as two figures can be compared


def test_the_optimizer_is_the_one_named(job, tmp_path):
    line = "vae train --data-dir {} --output-dir {} --max-train-steps 2 --optimizer adam --no-decay-norms "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 0
    state = torch.load(tmp_path / "run" / "latest_model.pt", weights_only=True)
    groups = state["parts"]["optimizer/autoencoder"]["param_groups"]
    assert [group["decoupled_weight_decay"] for group in groups] == [False, False]
    assert groups[0]["weight_decay"] > 0 and groups[1]["weight_decay"] == 0
    assert state["progress"]["step"] == 2


def test_checkpoints_in_steps_by_the_documents_names(job, tmp_path):
    line = "vae train --data-dir {} --output-dir {} --max-train-steps 5 --checkpointing-steps 2 --sample-every-steps 3 "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 0
    names = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*.p*")}
    assert {"checkpoint-2.pt", "checkpoint-4.pt", "checkpoint-5.pt", "samples/samples_step_3.png"} <= names
    assert rsforge(line.replace("steps 5", "steps 1") + VAE + " --overwrite", job.tiles, tmp_path / "run") == 0
    assert not (tmp_path / "run" / "checkpoint-4.pt").exists()


def test_epochs_and_steps_exclude_each_other(job, tmp_path, capsys):
    line = "vae train --data-dir {} --output-dir {} --epochs 2 --max-train-steps 5 "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "--epochs" in error and "--max-train-steps" in error and "exclude" in error


@pytest.mark.parametrize(
    ("device", "words", "pinned"), [("cuda", {}, True), ("cuda", {"pin_memory": False}, False), ("cpu", {}, False)]
)
def test_memory_is_pinned_for_cuda_alone_and_unless_it_is_not_wanted(device, words, pinned):
    settings = VaeTrainSettings(data={"data_dir": "synthetic"}, run={"num_workers": 0, **words})
    compute = Compute(torch.device(device), SingleProcess())
    loader = build_loader([0] * 32, settings, compute, training=True)
    assert loader._loader_arguments["pin_memory"] is pinned


def test_no_more_processes_read_than_there_are_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    compute = Compute(torch.device("cpu"), SingleProcess())
    settings = VaeTrainSettings(data={"data_dir": "synthetic"}, run={"num_workers": 4})
    assert build_loader([0] * 32, settings, compute, training=True)._loader_arguments["num_workers"] == 2


def test_adam_s_epsilon_reaches_the_optimizer():
    compute = Compute(torch.device("cpu"), SingleProcess())
    assert _optimizer_options(OptimSettings(adam_epsilon=1e-4), compute).eps == 1e-4


def test_a_plan_names_a_missing_package_too(job, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    line = "vae train --data-dir {} --output-dir {} --optimizer adamw-8bit --dry-run "
    assert rsforge(line + VAE, job.tiles, tmp_path / "run") == 6
    assert "RSF-E006" in capsys.readouterr().err
