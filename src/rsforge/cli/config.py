"""``rsforge config``: shipped presets, and where each value of a command comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rsforge import leftovers
from rsforge.cli.bridge import command
from rsforge.cli.config_files import Entry, entries, headline, preset, presets, text_of
from rsforge.cli.group import group
from rsforge.cli.keys import is_known
from rsforge.cli.leaves import nearest
from rsforge.cli.render import format_value
from rsforge.cli.resolve import resolve
from rsforge.cli.sources import environment, from_environment, from_sets
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import COMMANDS, Command, Result
from rsforge.durable import write_text
from rsforge.errors import RsforgeError
from rsforge.settings.config import (
    ConfigCopySettings,
    ConfigListSettings,
    ConfigSchemaSettings,
    ConfigShowSettings,
    ConfigValidateSettings,
)
from rsforge.settings.sections import flatten

app = group()


@command(app, "config ls", ConfigListSettings, tunable=False, epilog="Example: rsforge config ls")
def ls(settings: ConfigListSettings, console: TerminalConsole) -> Result:
    """List the shipped presets."""
    heads = {name: headline(text) for name, text in presets().items()}
    data = {name: {"command": cmd, "description": text} for name, (cmd, text) in heads.items()}
    rows = [f"{name:<20} {cmd:<16} {text}" for name, (cmd, text) in heads.items()]
    return Result(data, "\n".join(rows))


@command(app, "config cp", ConfigCopySettings, writes=True, tunable=False, epilog="Example: rsforge config cp vae-tiny")
def cp(settings: ConfigCopySettings, console: TerminalConsole) -> dict[str, Any]:
    """Copy a preset to edit it."""
    text = preset(settings.name)
    path = settings.dest or Path(f"{settings.name}.toml")
    path = path / f"{settings.name}.toml" if path.is_dir() else path
    if path.exists() and not settings.overwrite:
        raise RsforgeError(
            "RSF-U004", "the file exists", where=str(path), fix="replace it with --overwrite or name another DEST"
        )
    if not console.dry_run:
        path.parent.mkdir(parents=True, exist_ok=True)
        leftovers.sweep_for([path])
        write_text(path, text)
    cmd, _ = headline(text)
    return {"path": str(path), "next": f"rsforge {cmd} --config {path}"}


@command(
    app,
    "config show",
    ConfigShowSettings,
    tunable=False,
    epilog="Example: rsforge config show vae train --config vae-tiny --set epochs=5",
)
def show_values(settings: ConfigShowSettings, console: TerminalConsole) -> Result:
    """Show every value of a command and where it comes from."""
    model = _find_command(settings.command).model
    layers = [entries(source) for source in settings.config]
    layers += [from_environment(model, environment()), from_sets(settings.set)]
    values, origins = resolve(model, layers, lenient=True)
    by_name = flatten(values, model)
    data = {name: {"value": value, "origin": origins[name]} for name, value in by_name.items()}
    wide = max(map(len, by_name), default=0)
    texts = {name: format_value(value) for name, value in by_name.items()}
    column = max(map(len, texts.values()), default=0)
    return Result(data, "\n".join(f"{n:<{wide}}  {t:<{column}}  {origins[n]}" for n, t in texts.items()))


@command(app, "config schema", ConfigSchemaSettings, tunable=False, epilog="Example: rsforge config schema vae train")
def schema(settings: ConfigSchemaSettings, console: TerminalConsole) -> Result:
    """Print the JSON Schema of a command's settings."""
    data = _find_command(settings.command).model.model_json_schema()
    return Result(data, json.dumps(data, indent=2))


@command(
    app, "config validate", ConfigValidateSettings, tunable=False, epilog="Example: rsforge config validate my.toml"
)
def validate(settings: ConfigValidateSettings, console: TerminalConsole) -> dict[str, Any]:
    """Say which commands each settings file fits, or what is wrong with it."""
    fits = {str(file): _fitting_commands(str(file)) for file in settings.files}
    return {file: ", ".join(f"rsforge {' '.join(c.path)}" for c in found) for file, found in fits.items()}


def _fitting_commands(file: str) -> list[Command]:
    """The commands that take ``file``; raises what is wrong with it for the one it comes nearest to."""
    given = entries(file)
    meant, _ = headline(text_of(file)[0])
    candidates = [c for c in COMMANDS.values() if c.tunable and " ".join(c.path) == meant]
    candidates = candidates or [c for _, c in sorted(COMMANDS.items()) if c.tunable]
    failures: list[tuple[int, RsforgeError]] = []
    fitting: list[Command] = []
    for candidate in candidates:
        try:
            resolve(candidate.model, [given], lenient=True)
            fitting.append(candidate)
        except RsforgeError as error:
            failures.append((_count_unknown_keys(candidate, given), error))
    if not fitting:
        raise min(failures, key=lambda pair: pair[0])[1]
    return fitting


def _count_unknown_keys(candidate: Command, given: list[Entry]) -> int:
    return sum(not is_known(candidate.model, entry) for entry in given)


def _find_command(words: tuple[str, ...]) -> Command:
    path = tuple(" ".join(words).replace(".", " ").replace("_", "-").split())
    if path in COMMANDS:
        return COMMANDS[path]
    names = {c.name: c for c in COMMANDS.values() if c.tunable}
    near = nearest(".".join(path), list(names))
    hint = f"; did you mean {near}?" if near else ""
    raise RsforgeError("RSF-U007", f"there is no command {' '.join(words)}{hint}", fix=f"use one of {', '.join(names)}")
