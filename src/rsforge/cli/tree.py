"""The commands there are, and what all of them have in common; no Typer here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from rsforge.launch_variables import Launch


@dataclass(frozen=True)
class Result:
    """A result with its own form for people beside the one for programs."""

    data: dict[str, Any]
    text: str


@dataclass(frozen=True)
class Command:
    """One command of the tree: what it is called, what may be said to it, and what it adds.

    ``method`` loads the method of a training, whose checkpoints --resume finds. ``inputs`` maps the values that are
    given, by flat name, to further ones for those that nobody gave, and says where they come from.
    """

    path: tuple[str, ...]
    model: type[BaseModel]
    writes: bool = False
    tunable: bool = True
    method: Callable[[], Any] | None = None
    inputs: Callable[[Mapping[str, Any]], tuple[Mapping[str, Any], str]] | None = None

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass
class CommandLine:
    """The words behind ``rsforge``, as the user typed them.

    ``launch`` is this process's place among others that do the same; only trainings have one. ``stopped_by`` is what a
    signal raised.
    """

    argv: list[str] = field(default_factory=list)
    launch: Launch | None = None
    stopped_by: KeyboardInterrupt | None = None

    @property
    def follows(self) -> bool:
        """Whether another process speaks for this one."""
        return self.launch is not None and self.launch.rank > 0


COMMANDS: dict[tuple[str, ...], Command] = {}
COMMAND_LINE = CommandLine()

COMMON: dict[str, tuple[Any, list[str], str]] = {
    "config": (
        list[str],
        ["--config", "-c"],
        "Settings file (TOML, JSON, YAML) or preset; repeatable, the later wins.",
    ),
    "set": (list[str], ["--set"], "KEY=VALUE over files and environment; repeatable."),
    "dry_run": (bool, ["--dry-run", "-n"], "Check everything, print the plan, write nothing."),
    "json": (bool, ["--json"], "Print one JSON object on stdout and nothing else there."),
    "quiet": (bool, ["--quiet", "-q"], "No messages and no progress."),
    "debug": (bool, ["--debug"], "Show the traceback of an error."),
}


def common_options(command: Command) -> list[str]:
    """The options that every command of this sort has beside its own."""
    missing = set() if command.tunable else {"config", "set"}
    missing |= set() if command.writes else {"dry_run"}
    return [name for name in COMMON if name not in missing]
