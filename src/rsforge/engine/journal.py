"""journal.jsonl: what happened, one JSON object a line, the same bytes whenever the run is repeated."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge import durable


class Journal:
    """An append-only file whose length in lines is part of the run's progress.

    Holds nothing of the clock: a resumed run's journal is byte for byte that of a run never interrupted.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, 0

    def open_at(self, lines: int) -> None:
        """Keep the first ``lines`` lines, dropping torn or later ones, and append from there."""
        before = self.path.read_bytes().splitlines(keepends=True)[:lines] if self.path.exists() else []
        durable.write_bytes(self.path, b"".join(before))
        self.lines = len(before)

    def write(self, row: Mapping[str, Any]) -> None:
        durable.append_text(self.path, json.dumps(row) + "\n")
        self.lines += 1

    def flush(self) -> None:
        """Force the rows to the disk; called before a checkpoint that counts them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())


class NoJournal(Journal):
    """The journal of a process that does not write."""

    def open_at(self, lines: int) -> None: ...

    def write(self, row: Mapping[str, Any]) -> None: ...

    def flush(self) -> None: ...


def read(path: Path) -> list[dict[str, Any]]:
    """All rows of a journal."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
