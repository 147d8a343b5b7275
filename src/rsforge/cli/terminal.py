"""What a recipe says while it works: messages, warnings and progress, all on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from rsforge.cli.render import escape, paint

INTERVAL_S = 10.0
Figure = float | str


class Meter(Protocol):
    """A progress that moves forward."""

    def step(self, advance: int = 1, **figures: Figure) -> None: ...


class Silent:
    """A progress nobody sees."""

    def step(self, advance: int = 1, **figures: Figure) -> None:
        pass


def duration(seconds: float) -> str:
    """``3m10s``; hours from 60 minutes on."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def format_figures(figures: dict[str, Figure]) -> str:
    return " ".join(f"{k} {v if isinstance(v, str) else f'{v:.4g}'}" for k, v in figures.items())


class Plain:
    """Timed lines: the first step, the last, and between them one every ten seconds at most.

    The rate is that of the steps alone: time that ends without an advance, such as a validation's, counts for the
    estimated rest only.
    """

    def __init__(self, label: str, total: int, done: int, say: Callable[[str], None]) -> None:
        self.label, self.total, self.say = label, total, say
        self.begun, self.first, self.done = time.monotonic(), done, done
        self.stepping, self.updated = 0.0, self.begun
        self.shown_at, self.shown = float("-inf"), (-1, dict[str, Figure]())
        self.figures: dict[str, Figure] = {}

    def step(self, advance: int = 1, **figures: Figure) -> None:
        now = time.monotonic()
        self.stepping, self.updated = self.stepping + (now - self.updated if advance else 0.0), now
        self.done += advance
        self.figures |= figures
        if self.done >= self.total or time.monotonic() - self.shown_at >= INTERVAL_S:
            self.tell()

    def tell(self) -> None:
        now = (self.done, dict(self.figures))
        if now == self.shown or self.done == self.first:
            return
        self.shown_at, self.shown = time.monotonic(), now
        steps = self.done - self.first
        rate = steps / max(self.stepping, 1e-9)
        others = {k: v for k, v in self.figures.items() if k != "epoch"}
        epoch = [f"epoch {self.figures['epoch']}"] if "epoch" in self.figures else []
        left = f"eta {duration(max(0, self.total - self.done) * (self.shown_at - self.begun) / steps)}"
        parts = [*epoch, f"{self.label} {self.done}/{self.total}", format_figures(others), f"{rate:.1f} it/s", left]
        self.say(" ".join(p for p in parts if p))


class Bar:
    """A rich progress bar."""

    def __init__(self, progress: Any, task: Any) -> None:
        self.progress, self.task = progress, task
        self.figures: dict[str, Figure] = {}

    def step(self, advance: int = 1, **figures: Figure) -> None:
        self.figures |= figures
        self.progress.update(self.task, advance=advance, figures=format_figures(self.figures))


class TerminalConsole:
    """What a recipe says on a terminal or in a pipe, and what it may want to know of the command that was typed.

    ``command`` is the whole command line for a shell, ``argv`` its words after ``rsforge``, ``origins`` where
    each setting came from, ``dry_run`` whether only the plan is wanted. One that ``follows`` is silent: the first
    process of the same training speaks.
    """

    def __init__(
        self,
        *,
        command: str = "rsforge",
        argv: list[str] | None = None,
        origins: dict[str, str] | None = None,
        dry_run: bool = False,
        quiet: bool = False,
        follows: bool = False,
    ) -> None:
        self.command, self.argv, self.origins, self.dry_run = command, argv or [], origins or {}, dry_run
        self.quiet, self.follows = quiet or follows, follows
        self._console: Any = None

    def say(self, line: str) -> None:
        """Tell a message, unless --quiet."""
        if not self.quiet:
            self._write(line)

    def warn(self, line: str) -> None:
        """Tell a warning, even when quiet."""
        if not self.follows:
            self._write(line, label="warning: ")

    @contextlib.contextmanager
    def progress(self, label: str, total: int, done: int = 0) -> Iterator[Meter]:
        """Show ``total`` steps, of which ``done`` lie behind a resumed run."""
        if self.quiet:
            yield Silent()
        elif is_animated():
            with self._bars() as bars:
                yield Bar(bars, bars.add_task(escape(label), total=total, completed=done, figures=""))
        else:
            lines = Plain(label, total, done, self._write)
            try:
                yield lines
            finally:
                lines.tell()

    @contextlib.contextmanager
    def _bars(self) -> Iterator[Any]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        try:
            with Progress(*columns, TextColumn("{task.fields[figures]}", markup=False), console=self._console) as bars:
                yield bars
        finally:
            self._console = None

    def _write(self, line: str, label: str = "") -> None:
        # A reader that went away (`| head`) must not end a training.
        with contextlib.suppress(BrokenPipeError, ValueError):
            if self._console is not None:
                self._console.print(label, style="bold yellow", end="")
                self._console.print(escape(line), markup=False, highlight=False, soft_wrap=True)
            elif sys.stderr is not None:
                sys.stderr.write(f"{paint(label, 'warning', sys.stderr) if label else ''}{escape(line)}\n")
                sys.stderr.flush()


def is_animated() -> bool:
    """Whether a moving bar can be read: on a terminal that is neither a CI's nor dumb."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return terminal and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
