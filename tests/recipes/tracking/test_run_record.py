"""The record of a run keeps the command that began it."""

from __future__ import annotations

import json

import pytest

from rsforge.recipes.tracking.run_record import write_record
from tests.worlds.consoles import RecordingConsole


def written(folder, command, *, fresh=False):
    console = RecordingConsole()
    console.command = command
    write_record(folder, {"seed": 1}, console, fresh=fresh)
    record = json.loads((folder / "settings.json").read_text())
    assert record["settings"] == {"seed": 1}
    return record["command"], record.get("resumed_by")


def test_a_resumed_run_keeps_its_first_command_and_lists_the_others(tmp_path):
    assert written(tmp_path, "train --epochs 2", fresh=True) == ("train --epochs 2", None)
    assert written(tmp_path, "train --resume") == ("train --epochs 2", ["train --resume"])
    assert written(tmp_path, "train -r")[1] == ["train --resume", "train -r"]
    assert written(tmp_path, "train again", fresh=True) == ("train again", None)


@pytest.mark.parametrize("text", ["[1]", "{", "", '{"command": 3}', "[" * 9999, '{"command": "x", "resumed_by": 3}'])
def test_a_damaged_record_is_replaced(tmp_path, text):
    (tmp_path / "settings.json").write_text(text)
    command, _ = written(tmp_path, "train --resume")
    assert command == ("x" if '"x"' in text else "train --resume")
