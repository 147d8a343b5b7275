"""What a recipe says while it works: the part of the command line's display that it may rely on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol

from rsforge.settings.sections import DEFAULT


class Meter(Protocol):
    """A progress that moves forward."""

    def step(self, advance: int = 1, **figures: float | str) -> None: ...


class Console(Protocol):
    """Messages, warnings, progress; and the command line that was typed."""

    command: str
    argv: list[str]
    origins: dict[str, str]
    dry_run: bool

    def say(self, line: str) -> None: ...

    def warn(self, line: str) -> None: ...

    def progress(self, label: str, total: int, done: int = 0) -> contextlib.AbstractContextManager[Meter]: ...


def is_given(name: str, console: Console) -> bool:
    """Whether the option ``name`` was given, now or for the run that goes on."""
    return not console.origins.get(name, DEFAULT).startswith(DEFAULT)


class StageConsole:
    """The console of a recipe that another recipe calls: a command line and origins of its own, on the same display."""

    dry_run = False

    def __init__(self, console: Console, *, command: str, argv: list[str], origins: dict[str, str]) -> None:
        self.console, self.command, self.argv, self.origins = console, command, argv, origins

    def say(self, line: str) -> None:
        self.console.say(f"    {line}")

    def warn(self, line: str) -> None:
        self.console.warn(line)

    def progress(self, label: str, total: int, done: int = 0) -> contextlib.AbstractContextManager[Meter]:
        return self.console.progress(label, total, done)


class _Nobody:
    def step(self, advance: int = 1, **figures: float | str) -> None: ...


class SilentConsole:
    """A console for programs that call a recipe themselves: nothing is shown."""

    command = "rsforge"
    dry_run = False

    def __init__(self) -> None:
        self.argv: list[str] = []
        self.origins: dict[str, str] = {}

    def say(self, line: str) -> None: ...

    def warn(self, line: str) -> None: ...

    @contextlib.contextmanager
    def progress(self, label: str, total: int, done: int = 0) -> Iterator[Meter]:
        yield _Nobody()
