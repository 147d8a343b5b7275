"""Settings files: TOML, JSON or YAML read into keys, values and the lines they stand on."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from rsforge.cli.leaves import nearest
from rsforge.errors import RsforgeError, from_os_error
from rsforge.settings.sections import Location

_LARGEST = 1 << 20
_DEEPEST = 8
_MOST_KEYS = 10_000
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}\[\]]|\n')
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([\w.\"'-]+)\s*=")


class Entry(NamedTuple):
    """One key of a settings file."""

    loc: Location
    value: Any
    origin: str


def presets() -> dict[str, str]:
    """The shipped presets: name to text."""
    folder = files("rsforge.settings") / "presets"
    found = {f.name.removesuffix(".toml"): f.read_text("utf-8") for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(found.items()))


def preset(name: str) -> str:
    """The text of the shipped preset ``name`` (RSF-U007)."""
    shipped = presets()
    if name not in shipped:
        near = nearest(name, list(shipped))
        raise RsforgeError(
            "RSF-U007",
            f"there is no preset {name}" + (f"; did you mean {near}?" if near else ""),
            found=name,
            fix=f"use one of {', '.join(shipped)}",
        )
    return shipped[name]


def headline(text: str) -> tuple[str, str]:
    """The command and the description that the first line of a preset names: ``# rsforge vae train: ...``."""
    match = re.match(r"#\s*rsforge\s+([a-z -]+):\s*(.*)", text)
    return (match[1].strip(), match[2].strip()) if match else ("", "")


def text_of(source: str) -> tuple[str, str]:
    """The text and the kind (toml, json, yaml) of a file, or of the preset of that name (RSF-U003)."""
    path = Path(source)
    if not path.suffix and not path.exists():
        return preset(source), "toml"
    try:
        if path.stat().st_size > _LARGEST:
            raise _unreadable(source, "it is larger than 1 MB")
        return path.read_text("utf-8-sig"), {".json": "json", ".yaml": "yaml", ".yml": "yaml"}.get(path.suffix, "toml")
    except FileNotFoundError:
        raise _unreadable(source, "it does not exist") from None
    except UnicodeDecodeError:
        raise _unreadable(source, "it is not UTF-8 text") from None
    except OSError as error:
        raise from_os_error(error) from None


def entries(source: str) -> list[Entry]:
    """Every key of a settings file or preset, at any depth, with its origin ``file:line``."""
    text, kind = text_of(source)
    try:
        tree, lines = {"toml": _toml, "json": _json, "yaml": _yaml}[kind](text)
        if not isinstance(tree, dict):
            raise ValueError("it does not hold a table of keys")
        keys = list(islice(_keys(tree), _MOST_KEYS + 1))
        if len(keys) > _MOST_KEYS:
            raise ValueError(f"it holds more than {_MOST_KEYS} keys")
    except (ValueError, RecursionError) as error:
        raise _unreadable(source, str(error).splitlines()[0]) from None
    return [Entry(loc, value, f"{source}:{_line(lines, loc)}") for loc, value in keys]


def _unreadable(source: str, why: str) -> RsforgeError:
    return RsforgeError("RSF-U003", f"the settings file cannot be read: {why}", where=source)


def _line(lines: dict[Location, int], loc: Location) -> int:
    """The line of ``loc``, or of the nearest table around it whose line is known."""
    around = (loc[:end] for end in range(len(loc), 0, -1))
    return next((lines[place] for place in around if place in lines), 1)


def _keys(tree: dict[Any, Any], path: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Every value that is no table, with its place."""
    # Anchors of YAML can make a tree that contains itself, or one of billions of keys from a few lines.
    if len(path) == _DEEPEST:
        raise ValueError(f"its tables are nested deeper than {_DEEPEST}")
    for key, value in tree.items():
        loc = (*path, str(key))
        if isinstance(value, dict):
            yield from _keys(value, loc)
        else:
            yield loc, value


def _toml(text: str) -> tuple[Any, dict[Location, int]]:
    lines: dict[Location, int] = {}
    section: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = _key_path(header[1])
        elif key := _KEY.match(line):
            lines.setdefault((*section, *_key_path(key[1])), number)
    return tomllib.loads(text), lines


def _key_path(name: str) -> Location:
    return tuple(part.strip(" \"'") for part in name.split("."))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if twice := next((k for k in keys if keys.count(k) > 1), None):
        raise ValueError(f"the key {twice!r} stands twice")
    return dict(pairs)


def _json(text: str) -> tuple[Any, dict[Location, int]]:
    tree = json.loads(text, object_pairs_hook=_unique)
    lines: dict[Location, int] = {}
    path: list[str] = []
    key, number = "", 1
    for token in _TOKEN.finditer(text):
        if token[0] == "\n":
            number += 1
        elif token[0] in "{[":
            path.append(key)
        elif token[0] in "}]":
            path.pop()
        elif token[2]:
            key = json.loads(f'"{token[1]}"')
            lines.setdefault((*path[1:], key), number)
    return tree, lines


def _yaml(text: str) -> tuple[Any, dict[Location, int]]:
    try:
        import yaml
    except ModuleNotFoundError:
        raise RsforgeError(
            "RSF-E006", "YAML settings need the package PyYAML", fix='pip install "rsforge[yaml]"'
        ) from None
    try:
        tree, root = yaml.safe_load(text), yaml.compose(text)
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    lines: dict[Location, int] = {}
    stack: list[tuple[Location, Any]] = [((), root)]
    while stack:
        path, node = stack.pop()
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            loc = (*path, str(key.value))
            if loc in lines:
                raise ValueError(f"the key {key.value!r} stands twice")
            lines[loc] = key.start_mark.line + 1
            if len(loc) < _DEEPEST and len(lines) < _MOST_KEYS:
                stack.append((loc, value))
    return tree, lines
