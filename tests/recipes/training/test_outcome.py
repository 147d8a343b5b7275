"""A training that came to nothing says so, and results name files that are there."""

from __future__ import annotations

import errno
import json
import math
from dataclasses import replace

import pytest

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.output_names import CACHES
from rsforge.tasks.vae import VaeTask
from tests.worlds.commands import VAE, rsforge

LINE = f"vae train --data-dir {{}} --output-dir {{}} --epochs 1 --report-to none --kl-warmup 0 --json {VAE}"


@pytest.fixture
def unsound(monkeypatch):
    """Makes the loss of the autoencoder not a number, in training or in validation."""

    def make(where):
        if where == "training":
            sound = VaeTask.step
            monkeypatch.setattr(
                VaeTask,
                "step",
                lambda self, batch, context: (
                    replace(turn, loss=turn.loss * math.nan) for turn in sound(self, batch, context)
                ),
            )
        else:
            monkeypatch.setattr(
                "rsforge.engine.validation.Validation.__call__", lambda self: {"val/neg_elbo": math.nan}
            )

    return make


@pytest.mark.parametrize(
    ("where", "words"), [("training", "--on-nonfinite skip"), ("validation", "--early-stopping-patience 1")]
)
def test_a_training_without_a_finite_figure_fails(job, unsound, tmp_path, capsys, where, words):
    unsound(where)
    assert rsforge(f"{LINE} {words}", job.tiles, tmp_path / "run") == 5
    out, err = capsys.readouterr()
    assert json.loads(err.splitlines()[-1])["code"] == "RSF-T003"
    result = json.loads(out)
    named = {name: value for name, value in result.items() if name.endswith("_model")}
    assert named and all((tmp_path / "run" / value).is_file() for value in named.values())
    assert ("best" in result) is (where == "training")
    assert json.loads((tmp_path / "run" / "ended.json").read_text())["code"] == "RSF-T003"


def test_a_damaged_journal_is_said_at_the_start_of_a_resume(job, tmp_path, capsys):
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 0
    journal = tmp_path / "run" / "journal.jsonl"
    first, *others = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([bytes(len(first)), b"\n", *others]))
    capsys.readouterr()
    assert rsforge("vae train --resume {} --epochs 2", tmp_path / "run/latest_model.pt") == 0
    assert f"warning: {journal} has 1 damaged or missing lines" in capsys.readouterr().err


def test_a_full_disk_names_the_journal_and_what_is_safe(job, tmp_path, monkeypatch, capsys):
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 0
    last = len((tmp_path / "run/journal.jsonl").read_text().splitlines())

    def full(operation):
        if operation == "append" and len((tmp_path / "run/journal.jsonl").read_text().splitlines()) > last:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", full)
    capsys.readouterr()
    assert rsforge("vae train --resume {} --epochs 2 --log-every 1 --json", tmp_path / "run/latest_model.pt") == 6
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (told["code"], told["where"]) == ("RSF-E001", str(tmp_path / "run/journal.jsonl"))
    assert told["kept"].startswith(f"{tmp_path / 'run/latest_model.pt'} of step ")


def test_a_run_that_is_at_its_end_says_so_when_it_is_resumed(job, tmp_path, capsys):
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 0
    capsys.readouterr()
    assert rsforge(f"{LINE} --resume", job.tiles, tmp_path / "run") == 0
    assert "finished   already: step" in capsys.readouterr().err


def test_a_start_that_failed_is_no_run_in_the_way_of_the_next(job, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr("rsforge.recipes.training.run.build_trainer", fail)
        assert rsforge(LINE, job.tiles, tmp_path / "run") == 6
    assert (tmp_path / "run" / "settings.json").is_file()
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 0
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 2
    assert "RSF-U004" in capsys.readouterr().err


def test_a_run_that_was_killed_before_its_first_checkpoint_says_one_way_out(job, tmp_path, capsys):
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 0
    for checkpoint in (tmp_path / "run").glob("*.pt"):
        checkpoint.unlink()
    capsys.readouterr()
    assert rsforge(f"{LINE} --resume", job.tiles, tmp_path / "run") == 4
    assert "leave out --resume and add --overwrite to start again" in capsys.readouterr().err
    assert rsforge(LINE, job.tiles, tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert "replace with --overwrite" in said and "--resume," not in said
    assert rsforge(f"{LINE} --overwrite", job.tiles, tmp_path / "run") == 0


def test_what_was_computed_before_the_first_step_is_no_run_in_the_way_of_the_next(job, tmp_path):
    run = tmp_path / "run"
    for name in CACHES:
        (run / name).mkdir(parents=True)
        (run / name / "stored.npy").touch()
    (run / "journal.jsonl").touch()
    assert rsforge(LINE, job.tiles, run) == 0


def fail(*arguments):
    raise RsforgeError("RSF-E006", "a package is missing")
