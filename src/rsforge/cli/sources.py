"""Where values come from: the environment and --set, as entries like those of settings files."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pydantic import BaseModel

from rsforge.cli.config_files import Entry
from rsforge.cli.leaves import canonical, nearest, spellings, variables_of
from rsforge.cli.tree import COMMANDS
from rsforge.errors import RsforgeError
from rsforge.settings.sections import Location

PREFIX = "RSFORGE_"


def environment() -> dict[str, str]:
    """The ``RSFORGE_*`` variables that hold something, by lower-case option name."""
    variables = {name.upper(): value for name, value in os.environ.items()}
    return {k.removeprefix(PREFIX).lower(): v for k, v in variables.items() if k.startswith(PREFIX) and v}


def unknown_variables() -> list[str]:
    """The ``RSFORGE_*`` variables that no loaded command knows."""
    return sorted(f"{PREFIX}{name.upper()}" for name in environment().keys() - _known_options())


def nearest_variable(name: str) -> str:
    """The variable of a loaded command that is most like ``name``, or nothing."""
    near = nearest(canonical(name.removeprefix(PREFIX)), sorted(_known_options()))
    return near and f"{PREFIX}{near.upper()}"


def _known_options() -> set[str]:
    return {canonical(name) for command in COMMANDS.values() for name in spellings(command.model)}


def from_environment(model: type[BaseModel], variables: dict[str, str]) -> list[Entry]:
    """What ``variables`` (by option name), and those that ``model`` names without our prefix, say; ours go first."""
    known = spellings(model)
    ours = {known[name].name: (name, value) for name, value in variables.items() if name in known}
    entries = [Entry((name,), value, f"env {PREFIX}{name.upper()}") for name, value in ours.values()]
    for variable, option in variables_of(model).items():
        if option not in ours and (value := os.environ.get(variable)):
            entries.append(Entry((option,), value, f"env {variable}"))
    return entries


def from_sets(items: Iterable[str]) -> list[Entry]:
    """``--set KEY=VALUE`` items; the last one of a key wins (RSF-U002 without ``=``)."""
    found: dict[Location, Entry] = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise RsforgeError("RSF-U002", "--set takes KEY=VALUE", found=item, fix="for example --set epochs=5")
        loc = tuple(key.split("."))
        found[loc] = Entry(loc, value, "--set")
    return list(found.values())
