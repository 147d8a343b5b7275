"""The layers of a command's values: what it finds by itself, files, environment, the run to resume, what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from rsforge.cli.config_files import Entry
from rsforge.cli.keys import Given, Problem, understand
from rsforge.cli.leaves import leaves
from rsforge.cli.tree import Command
from rsforge.settings.sections import DEFAULT, flatten, join_paths

# What a resumed run does not take over from its checkpoint: it is said of one process, not of the run.
OF_ONE_PROCESS = {"output_dir", "base_dir", "resume", "overwrite", "multi_gpu", "distributed"}


class Layers(NamedTuple):
    """What the user said, by the way of saying it."""

    files: list[list[Entry]]
    environment: list[Entry]
    sets: list[Entry]
    typed: list[Entry]


class Complete(NamedTuple):
    """All layers of a command, weakest first, and what is to be said of those that nobody typed."""

    layers: list[list[Entry]]
    lines: list[str]


def complete(command: Command, said: Layers) -> Complete:
    """The layers that ``said`` makes with the settings of the run to resume, else with what the command finds."""
    given = _given_values(command.model, [*said.files, said.environment, said.sets, said.typed])
    if command.method is not None and given.get("resume") is not None:
        return _with_checkpoint(command, said, given)
    found = _find_made_files(command.model, given)
    known = given | {entry.loc[0]: entry.value for entry in found}
    if command.inputs is not None:
        values, origin = command.inputs(known)
        found += [Entry((name,), value, _unchosen(origin)) for name, value in values.items() if name not in known]
    return Complete(
        [found, *said.files, said.environment, said.sets, said.typed], _describe_inputs(command.model, found)
    )


def _describe_inputs(model: type[BaseModel], found: list[Entry]) -> list[str]:
    """One line for each place that values were taken from."""
    lines: dict[str, list[str]] = {}
    for entry in found:
        lines.setdefault(entry.origin, []).append(f"{leaves(model)[entry.loc[0]].option} {entry.value}")
    return [
        f"using      {', '.join(values)} ({origin.removeprefix(_unchosen(''))})" for origin, values in lines.items()
    ]


def _unchosen(origin: str) -> str:
    """The origin of a value that nobody chose."""
    return f"{DEFAULT}: {origin}"


def _given_values(model: type[BaseModel], layers: list[list[Entry]]) -> dict[str, Any]:
    """The values by flat name that somebody gave, unchecked; errors in them are reported when they are resolved."""
    return {name: item.value for name, item in _items(model, layers).items()}


def _items(model: type[BaseModel], layers: list[list[Entry]]) -> dict[str, Given]:
    ignored: list[Problem] = []
    return {item.leaf.name: item for layer in layers for item in understand(model, layer, ignored)}


def _find_made_files(model: type[BaseModel], given: Mapping[str, Any]) -> list[Entry]:
    """The files that a former command makes by default, for the inputs that nobody named and where they exist."""
    base = Path(str(given.get("base_dir", "")))
    return [
        Entry((name,), leaf.extra["made"], _unchosen(f"made by rsforge {leaf.extra['by']}"))
        for name, leaf in leaves(model).items()
        if "made" in leaf.extra and name not in given and (base / leaf.extra["made"]).is_file()
    ]


def _with_checkpoint(command: Command, said: Layers, given: Mapping[str, Any]) -> Complete:
    """With the layer of the checkpoint: above files and environment, under what was typed."""
    from rsforge.recipes.training.resume import stored_settings

    assert command.method is not None
    base, resume = Path(str(given.get("base_dir", ""))), str(given["resume"])
    folder = base / str(given.get("output_dir", leaves(command.model)["output_dir"].default()))
    method = command.method()
    found = stored_settings(method, folder, resume if resume == "auto" else str(base / resume))
    path, origin = found.path, f"checkpoint {found.path}"
    values = _stored_values(command.model, found.settings, given)
    chosen = _differing(command.model, values) if found.given is None else found.given
    stored = [Entry((name,), value, origin if name in chosen else _unchosen(origin)) for name, value in values.items()]
    if resume != "auto":
        stored.append(Entry(("output_dir",), str(method.outputs.names.run_folder(Path(resume))), origin))
    lines = [_describe_source(command.model, said, path), *_describe_unused(command.model, said, stored, path)]
    return Complete([*said.files, said.environment, stored, said.sets, said.typed], lines)


def _describe_source(model: type[BaseModel], said: Layers, path: Path) -> str:
    typed = _typed_names(model, said) - OF_ONE_PROCESS
    options = ", ".join(leaf.option for name, leaf in leaves(model).items() if name in typed)
    return f"settings   of {path}" + (f", but for {options}" if options else "")


def _typed_names(model: type[BaseModel], said: Layers) -> set[str]:
    return set(_items(model, [said.sets, said.typed]))


def _stored_values(model: type[BaseModel], settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The stored settings by flat name; paths of another folder than --base-dir are not joined to it."""
    former = getattr(model, "former", {})
    values = {name: value for name, value in (former | flatten(settings, model)).items() if name not in OF_ONE_PROCESS}
    for name, leaf in leaves(model).items():
        # Of two that exclude each other a run had one: that which replaces the other, where it has a value.
        if "replaces" in leaf.extra and name in values:
            values.pop(name if values[name] is None else leaf.extra["replaces"], None)
    if "base_dir" not in given:
        return values
    return {name: _make_absolute(model, name, value) for name, value in values.items()}


def _differing(model: type[BaseModel], values: Mapping[str, Any]) -> set[str]:
    """The names whose values are not the defaults: somebody chose them."""
    own = leaves(model)
    return {
        name
        for name, value in values.items()
        if own[name].field.is_required() or to_jsonable_python(own[name].default()) != value
    }


def _make_absolute(model: type[BaseModel], name: str, value: Any) -> Any:
    leaf = leaves(model)[name]
    if leaf.kind is Path and isinstance(value, str):
        return str(Path.cwd() / value)
    return join_paths(leaf.field, value, Path.cwd())


def _describe_unused(model: type[BaseModel], said: Layers, stored: list[Entry], path: Path) -> list[str]:
    """Which values of files and environment give way to those of the checkpoint."""
    before, typed = _items(model, [*said.files, said.environment]), _typed_names(model, said)
    now = _items(model, [stored])
    different = [
        f"{item.leaf.option} of {item.origin}"
        for name, item in before.items()
        if name in now and name not in typed and not _same(item.value, now[name].value)
    ]
    return [f"not used   {', '.join(different)}: {path} says otherwise"] if different else []


def _same(said: Any, stored: Any) -> bool:
    """Whether a text of the user means the value of a checkpoint."""
    if isinstance(said, list) and isinstance(stored, list):
        return len(said) == len(stored) and all(map(_same, said, stored))
    try:
        return float(said) == float(stored)
    except (TypeError, ValueError):
        return str(said).lower() == str(stored).lower()
