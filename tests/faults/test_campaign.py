"""A handful of the kills that the session `faults` does in hundreds, and that the campaign sees what it looks for."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from rsforge.cli.tree import COMMANDS as TREE
from tests.faults.campaign import share
from tests.faults.commands import COMMANDS, Command
from tests.faults.trials import Tally, Trial, follow, is_whole

TRAININGS = {"vae train", "diffusion train", "cyclegan train", "hsi train-spectral", "hsi train-spatial"}
WITHOUT_A_KILL = {
    # They write nothing, or one file through the same function as the others.
    "data stats", "config", "config ls", "config cp", "config show", "config schema", "config validate", "doctor",
    "info", "explain", "runs", "report", "weights ls", "weights fetch", "cyclegan evaluate", "vae evaluate",
    "clip evaluate", "diffusion evaluate", "diffusion evaluate-unconditional",
    # It runs what is killed here one by one.
    "demo",
    # It writes into a folder of its own that is removed.
    "hsi selftest",
    # Other names of hsi train-spectral and hsi train-spatial.
    "hsi train-stage1", "hsi train-stage2",
}  # fmt: skip


def test_killed_commands_end_as_if_nobody_had_killed_them():
    words = ("data split", "data prepare-classes")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.campaign", "--kills", "4", *words],
        capture_output=True, text=True, timeout=400, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 faults" in done.stdout


def test_every_command_that_writes_is_killed():
    assert {command.name for command in COMMANDS} >= TRAININGS
    killed = {" ".join(word for word in command.line.split()[:2] if word[:1] != "-") for command in COMMANDS}
    assert {" ".join(names) for names in TREE} - killed - WITHOUT_A_KILL == set()


def test_kills_are_shared_by_weight():
    shares = share(200, COMMANDS)
    assert sum(shares) == 200 and min(shares) >= 1
    assert shares[0] == pytest.approx(200 * COMMANDS[0].weight / sum(c.weight for c in COMMANDS), abs=1)


@pytest.fixture
def trial(tmp_path, monkeypatch) -> Trial:
    """A command that wrote ``out/a`` and ``out/b.json`` beside its input ``given``, when nobody killed it."""
    monkeypatch.setattr(Trial, "_run", lambda self, argv, moment: 0)
    (tmp_path / "said.operations").touch()
    command = Command("one", "one", "", lambda place: (place / "given").write_bytes(b"g"))
    made = Trial(command, tmp_path, random.Random(0))
    (made.place / "out").mkdir()
    made.expected = {"out/a": b"whole", "out/b.json": b"{}"}
    for name, data in made.expected.items():
        (made.place / name).write_bytes(data)
    return made


def damage(place: Path, name: str, data: bytes | None) -> None:
    if data is None:
        (place / name).unlink()
    else:
        (place / name).write_bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("out/a", b"whole", None),
        ("out/a", b"other", "out/a differs"),
        ("out/a", None, "out/a is missing"),
        ("out/.tmp-1-a", b"", "out/.tmp-1-a is left"),
        ("given", b"changed", "given differs"),
        ("out/.lock", b"pid 7", None),
    ],
)
def test_what_differs_from_an_undisturbed_run_is_a_fault(trial, name, data, fault):
    damage(trial.place, name, data)
    trial._compare()
    assert trial.tally.faults == [fault] * (fault is not None)


@pytest.mark.parametrize(
    ("name", "data", "is_fault"),
    [("out/a", b"who", True), ("out/b.json", b"{", True), ("out/b.json", b"[1]", False), ("out/.tmp-1-a", b"w", False)],
)
def test_half_a_file_under_its_final_name_is_a_fault(trial, name, data, is_fault):
    damage(trial.place, name, data)
    trial._check_halves()
    assert bool(trial.tally.faults) == is_fault


def test_a_checkpoint_or_picture_that_is_cut_is_no_whole_file(tmp_path):
    for name in ("a.pt", "a.png", "a.csv"):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        assert not is_whole(tmp_path / name)


def test_a_user_follows_what_a_message_advises():
    line = ["vae", "train", "--resume"]
    assert follow(line, "error[RSF-C001]: no\n  fix:   leave out --resume to start") == line[:2]
    assert follow(line[:2], "error\n  fix:   replace it with --overwrite") == [*line[:2], "--overwrite"]
    both = "fix: go on with --skip-existing, replace them with --overwrite"
    assert follow(["t"], both) == ["t", "--skip-existing"]
    assert follow([*line[:2], "--overwrite"], "fix: --overwrite") is None
    assert follow(["t"], "fix: repair the disk") is None


def test_a_row_of_the_table_sums_what_was_lost():
    assert Tally(3, 2, 2, [1, 4]).row().split() == ["3", "2/2", "5", "4"]
    assert Tally(3, 2, 1).row().split() == ["3", "1/2", "-", "-"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_recipe_of_a_command_is_where_the_campaign_looks_for_it(command):
    assert importlib.util.find_spec(command.module) is not None
