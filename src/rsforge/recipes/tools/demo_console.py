"""The command lines of the demo: options as typed, as settings, and the console that a recipe called by it gets."""

from __future__ import annotations

import shlex
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pydantic import BaseModel

from rsforge.recipes.console import Console, Meter
from rsforge.recipes.tools.demo_options import Options
from rsforge.settings.sections import nest, settings_of

S = TypeVar("S", bound=BaseModel)


class StageConsole:
    """The console of a recipe that the demo calls, with the recipe's own command line and origins of settings."""

    dry_run = False

    def __init__(self, console: Console, path: str, options: Options, settings: BaseModel) -> None:
        self.console = console
        self.command = command_line(path, options)
        self.argv = shlex.split(self.command)[1:]
        self.origins = {name: "demo" if name in options else "default" for name in settings_of(type(settings))}

    def say(self, line: str) -> None:
        self.console.say(f"    {line}")

    def warn(self, line: str) -> None:
        self.console.warn(line)

    def progress(self, label: str, total: int, done: int = 0) -> AbstractContextManager[Meter]:
        return self.console.progress(label, total, done)


def command_line(path: str, options: Options) -> str:
    """The command line with which a user gives ``options`` to the command ``path``."""
    words = ["rsforge", *path.split()]
    for name, value in options.items():
        words += _option_words(name, value)
    return shlex.join(words)


def _option_words(name: str, value: Any) -> list[str]:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{option}" if value else f"--no-{option}"]
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return [f"--{option}", text]


def compose_settings(model: type[S], options: Options) -> S:
    """The settings that the command line of ``options`` gives."""
    return model.model_validate(nest(model, options))
