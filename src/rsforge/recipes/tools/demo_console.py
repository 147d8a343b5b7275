"""The command lines of the demo: options as typed, as settings, and the console that a recipe called by it gets."""

from __future__ import annotations

import shlex
from typing import Any, TypeVar

from pydantic import BaseModel

from rsforge.recipes.console import Console, StageConsole
from rsforge.recipes.tools.demo_options import Options
from rsforge.settings.sections import nest, settings_of

S = TypeVar("S", bound=BaseModel)


def open_stage(console: Console, path: str, options: Options, settings: BaseModel) -> StageConsole:
    """The console of a recipe that the demo calls, with the recipe's own command line and origins of settings."""
    command = command_line(path, options)
    origins = {name: "demo" if name in options else "default" for name in settings_of(type(settings))}
    return StageConsole(console, command=command, argv=shlex.split(command)[1:], origins=origins)


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
