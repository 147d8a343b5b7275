"""The journal: what is damaged is left out and counted, a full disk is named, and means have names of their own."""

from __future__ import annotations

import errno
import json

import pytest

from rsforge import durable
from rsforge.engine.journal import Journal, read


@pytest.mark.parametrize(
    "damage", [b"\x00\x00\x00", b"{", b"[1]", b'{"loss": 1}', b'{"step": "x"}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_damaged_line_is_left_out_and_counted(tmp_path, damage):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"step": 1}\n' + damage + b'\n{"step": 3}\n{"step": 4}\n')
    assert [row["step"] for row in read(path)] == [1, 3, 4]
    journal = Journal(path)
    assert journal.open_at(3) == 1 and journal.lines == 2
    journal.write({"step": 5})
    assert [row["step"] for row in read(path)] == [1, 3, 5]


def test_missing_lines_are_counted(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.open_at(0) == 0
    journal.write({"step": 1})
    assert journal.open_at(4) == 3 and journal.open_at(1) == 0


def test_a_full_disk_names_the_journal(tmp_path, monkeypatch):
    def full(operation):
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = Journal(tmp_path / "journal.jsonl")
    monkeypatch.setattr(durable, "before_operation", full)
    with pytest.raises(OSError, match="No space") as caught:
        journal.write({"step": 1})
    assert caught.value.filename == str(journal.path)


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
