"""A dry run shows the plan and what somebody chose; programs get every setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rsforge.cli.app import load_all
from rsforge.cli.leaves import leaves
from rsforge.cli.output_places import OUTPUT_FILES, OUTPUT_FOLDERS
from rsforge.cli.tree import COMMANDS

LINE = ("vae", "train", "--data-dir", "x", "--config", "vae-tiny", "--epochs", "7", "--dry_run")


def test_people_see_the_plan_first_and_only_settings_that_are_not_the_defaults(shell, kitchen):
    told = shell(*LINE).out.splitlines()
    assert told[:3] == ["plan", "  done  1", "settings"]
    assert len(told) < 25
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in told if line.startswith("  --")}
    assert rows["--data-dir"] == "x  (option)" and rows["--epochs"] == "7  (option)"
    assert rows["--image-size"] == "32  (vae-tiny:3)"
    assert "--batch-size" not in rows
    assert told[-1] == "  rsforge vae train --data-dir x --config vae-tiny --epochs 7"


def test_programs_see_every_setting_and_its_origin(shell, kitchen):
    told = json.loads(shell(*LINE, "--json").out)
    assert told["plan"] == {"done": 1}
    assert told["settings"]["loop"]["batch_size"] == 16 and told["origins"]["batch_size"] == "default"


@pytest.mark.parametrize("output", ["table.txt", "table.txt/below", "/proc/nowhere"])
def test_a_plan_refuses_an_output_that_the_command_could_not_write(shell, kitchen, output):
    Path("table.txt").write_text("a file")
    before = sorted(Path().iterdir())
    told = shell("vae", "train", "--data-dir", "x", "--output-dir", output, "--dry-run")
    assert told.code == 6 and "RSF-E008" in told.err and "--output-dir" in told.err
    assert sorted(Path().iterdir()) == before


def test_every_output_that_a_command_has_is_among_those_tried():
    load_all()
    outputs = {
        name
        for command in COMMANDS.values()
        if command.writes
        for name, leaf in leaves(command.model).items()
        if name.startswith("output") and leaf.kind in (Path, str)
    }
    assert outputs and outputs <= {*OUTPUT_FOLDERS, *OUTPUT_FILES}
