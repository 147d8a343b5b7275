"""A console that remembers what commands tell."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

from rsforge.recipes.console import SilentConsole


class RecordingConsole(SilentConsole):
    """A console that records lines, warnings and progress."""

    def __init__(self, *, dry_run: bool = False) -> None:
        super().__init__()
        self.dry_run = dry_run
        self.said: list[str] = []
        self.warned: list[str] = []
        self.meters: list[tuple[str, int, int]] = []

    @contextmanager
    def progress(self, label: str, total: int, done: int = 0):
        steps = []
        yield SimpleNamespace(step=lambda advance=1, **figures: steps.append(advance))
        self.meters.append((label, total, sum(steps)))

    def say(self, line: str) -> None:
        self.said.append(line)

    def warn(self, line: str) -> None:
        self.warned.append(line)

    def has_line(self, words: str) -> bool:
        return any(words in line for line in self.said + self.warned)
