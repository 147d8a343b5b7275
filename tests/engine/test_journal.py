"""Rows of steps and of epochs in one file."""

from __future__ import annotations

import json

from rsforge.engine.journal import Journal, read

STEP = {"step": 1, "epoch": 1, "lr": 0.1, "loss": 0.5, "unweighted/l1": 0.2}
CLOSED = {"step": 2, "epoch": 1, "lr": 0.1, "loss": 0.4, "unweighted/l1": 0.1, "val/loss": 0.6, "best": True}


def test_a_mean_is_not_called_as_a_figure_of_one_step(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(STEP)
    journal.write_closed(CLOSED)
    first, last = map(json.loads, (tmp_path / "journal.jsonl").read_text().splitlines())
    assert first == STEP
    assert set(last) - {"step", "epoch", "lr"} == {"epoch/loss", "epoch/unweighted/l1", "val/loss", "best", "closed"}
    assert read(tmp_path / "journal.jsonl") == [STEP, {**CLOSED, "closed": True}] and journal.lines == 2


def test_journals_of_before_are_read(tmp_path):
    rows = [STEP, {**CLOSED, "closed": True}]
    (tmp_path / "journal.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(tmp_path / "journal.jsonl") == rows
