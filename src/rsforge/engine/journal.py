"""journal.jsonl: what happened, one JSON object a line, the same bytes whenever the run is repeated."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rsforge import durable

MEAN = "epoch/"
PLACE = ("step", "epoch", "lr", "best")
HELD_OUT = "val/"


class Journal:
    """An append-only file whose length in lines is part of the run's progress.

    Holds nothing of the clock: a resumed run's journal is byte for byte that of a run never interrupted.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, 0

    def open_at(self, lines: int) -> int:
        """Keep the first ``lines`` lines, dropping torn or later ones, and append from there.

        Returns how many of them are damaged or missing: those are left out for good.
        """
        before = self.path.read_bytes().splitlines(keepends=True)[:lines] if self.path.exists() else []
        sound = [line for line in before if _parse_row(line) is not None]
        durable.write_bytes(self.path, b"".join(sound))
        self.lines = len(sound)
        return lines - len(sound)

    def write(self, row: Mapping[str, Any]) -> None:
        with self._name_file():
            durable.append_text(self.path, json.dumps(row) + "\n")
        self.lines += 1

    def write_closed(self, row: Mapping[str, Any]) -> None:
        """Write the row that closes an epoch or a validation; means are not called as figures of one step."""
        self.write({**{_name_mean(name): value for name, value in row.items()}, "closed": True})

    def flush(self) -> None:
        """Force the rows to the disk; called before a checkpoint that counts them."""
        if self.path.exists():
            with self.path.open("rb") as file:
                durable.flush(file.fileno(), self.path)

    @contextlib.contextmanager
    def _name_file(self) -> Iterator[None]:
        """Name the file in an ``OSError``: that of a write does not name it."""
        try:
            durable.before_operation("append")
            yield
        except OSError as error:
            error.filename = str(self.path)
            raise


class NoJournal(Journal):
    """The journal of a process that does not write."""

    def open_at(self, lines: int) -> int:
        return 0

    def write(self, row: Mapping[str, Any]) -> None: ...

    def flush(self) -> None: ...


def _name_mean(name: str) -> str:
    return name if name in PLACE or name.startswith(HELD_OUT) else MEAN + name


def read(path: Path) -> list[dict[str, Any]]:
    """All rows of a journal; what is no row is left out.

    A figure of a step and its mean have the same name, as in the journals of former versions.
    """
    rows = map(_parse_row, path.read_bytes().splitlines())
    return [row for row in rows if row is not None]


def _parse_row(line: bytes) -> dict[str, Any] | None:
    """The row of a line; None where it is damaged."""
    with contextlib.suppress(ValueError, RecursionError):
        row = json.loads(line)
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            return {name.removeprefix(MEAN): value for name, value in row.items()}
    return None
