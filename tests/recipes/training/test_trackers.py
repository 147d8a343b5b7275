"""How trackers follow a training, where they write, and how they learn of its end."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rsforge.errors import RsforgeError, Terminated
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.cyclegan.output_names import CYCLEGAN
from rsforge.recipes.tracking import wandb_run
from rsforge.recipes.training import trackers
from rsforge.recipes.training.job import TrainingSpec
from rsforge.settings.cyclegan import CycleGanTrainSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.trackers import RENAMED, ROW, FakeRun, events


@pytest.mark.parametrize(("options", "folder"), [({}, "out/tensorboard"), ({"log_dir": "logs/a"}, "logs/a")])
def test_the_folder_of_tensorboard(tmp_path, monkeypatch, options, folder):
    monkeypatch.chdir(tmp_path)
    settings = CycleGanTrainSettings(data={"data_dir": "v_2"}, run={"output_dir": "out", "log_every": 1, **options})
    Path("out").mkdir()
    job = TrainingSpec(None, [], [], {}, "x")
    with trackers.open_trackers(job, settings, CYCLEGAN, SilentConsole(), step=0, steps_per_epoch=5) as (_, board):
        board.on_step({"step": 1, "epoch": 1, "loss": 1.0}, 0.1)
    assert events(Path(folder)).Tags()["scalars"] == ["Batch/loss"]


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """``open_trackers`` of a training whose run of W&B is the given one."""
    monkeypatch.setattr(os, "environ", {k: v for k, v in os.environ.items() if not k.startswith("WANDB")})
    values = CycleGanTrainSettings(data={"data_dir": "v_2"}).model_dump(exclude_defaults=True)
    values["run"] = {"output_dir": tmp_path, "report_to": ("wandb",), "log_every": 5}
    settings, console = CycleGanTrainSettings(**values), RecordingConsole()
    job = TrainingSpec(None, [], [], {}, "x", tracked=RENAMED, config={"num_epochs": 100, "dataset": "drawn"})

    def follow(run: Any) -> Any:
        begun: dict[str, Any] = {}
        monkeypatch.setattr(wandb_run, "begin", lambda output, **more: begun.update(more) or run)
        return trackers.open_trackers(job, settings, CYCLEGAN, console, step=0, steps_per_epoch=5), begun

    return SimpleNamespace(follow=follow, console=console, folder=tmp_path)


def test_a_run_has_the_method_s_names_and_configuration(followed):
    run = FakeRun()
    following, begun = followed.follow(run)
    with following as listeners:
        for listener in listeners:
            listener.on_step({"step": 7, "epoch": 2, "lr": 1e-3, "Total_G_Loss": 3.0}, 0.1)
            listener.on_step({"step": 10, "epoch": 2, "lr": 1e-3, "Total_G_Loss": 3.0}, 0.1)
            listener.on_epoch(ROW, 0.1)
            listener.on_pictures({"Examples/Generated_Color": torch.zeros(2, 3, 8, 8)}, 10)
    (_, batch), (_, epoch), (step, pictures) = run.logged
    assert batch == {"Batch/lr": 1e-3, "Batch/Total_G_Loss": 3.0}
    assert epoch == {"epoch": 2, "Epoch/lr": 1e-3, "Epoch/Avg_G_Loss": 2.0}
    assert step == 10 and [image.image.size for image in pictures["Examples/Generated_Color"]] == [(8, 8)] * 2
    assert begun["config"]["num_epochs"] == 100 and begun["config"]["lambda_l1"] == 100.0
    assert begun["project"] == "rsforge" and run.code == 0 and "WANDB_DATA_DIR" not in os.environ


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RsforgeError("RSF-I130", "stopped"), 130), (RsforgeError("RSF-I143", "stopped"), 143),
        (RsforgeError("RSF-T001", "not finite"), 5), (KeyboardInterrupt(), 130), (Terminated(), 143), (ValueError(), 1),
    ],
)  # fmt: skip
def test_a_run_that_is_stopped_is_finished_with_its_exit_code(followed, error, code):
    run = FakeRun()
    following, _ = followed.follow(run)
    with pytest.raises(type(error)), following:
        raise error
    assert run.code == code and followed.console.warned == []


def test_a_tracker_that_fails_is_said_once_and_the_training_goes_on(followed):
    run = FakeRun(broken=True)
    following, _ = followed.follow(run)
    with following as (_, tracker):
        for step in (5, 10, 15):
            tracker.on_step({"step": step, "epoch": 1, "lr": 1e-3}, 0.1)
        tracker.on_epoch(ROW, 0.1)
    assert followed.console.warned == [
        "W&B failed and records no more of this run; the training continues: OSError: [Errno 28] no space"
    ]
    assert len(run.logged) == 1 and run.code == 1
