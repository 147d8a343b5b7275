"""Results for stdout and error blocks for stderr, for people and for programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsforge.errors import RsforgeError

_LINES = 8
_STYLES = {"error": "1;31", "warning": "1;33", "field": "2"}  # bold red, bold yellow, dim
_FINDING = {"state", "found", "fix"}


def escape(text: str, keep: str = "") -> str:
    """``text`` with control characters written out, so that no file name can steer the terminal."""
    return "".join(c if c.isprintable() or c in keep or c == " " else _write_escape(c) for c in text)


def _write_escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def has_colour(stream: Any) -> bool:
    """Whether to write colours: on a terminal, unless NO_COLOR or TERM=dumb is set (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream is not None and bool(stream.isatty())


def paint(text: str, style: str, stream: Any) -> str:
    """``text`` in a style of ``_STYLES`` where ``stream`` shows colours."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_colour(stream) else text


def paint_block(text: str, stream: Any) -> str:
    """The error of :func:`block` with its code in red and the names of its fields dimmed."""
    first, *rest = text.split("\n")
    code, colon, what = first.partition(": ")
    lines = [f"{paint(code, 'error', stream)}{colon}{what}"]
    for line in rest:
        name, colon, found = line.partition(":") if line[:3].strip() else ("", "", line)
        lines.append(f"{paint(name + colon, 'field', stream)}{found}" if name else line)
    return "\n".join(lines)


def block(error: RsforgeError) -> str:
    """The error as people read it, at most eight lines."""
    lines = [f"error[{error.code}]: {escape(error.what)}"]
    fields = error.fields()
    room = _LINES - 1 - len(fields)
    for name, text in fields.items():
        first, *rest = text.rstrip("\n").split("\n")
        lines.append(f"  {name + ':':<6} {escape(first)}")
        lines += [" " * 9 + escape(line) for line in rest[:room]]
        room -= min(room, len(rest))
    return "\n".join(lines)


def error_json(error: RsforgeError) -> str:
    """The error as one JSON object with every field, on one line."""
    fields = {"where": error.where, "found": error.found, "kept": error.kept, "fix": error.fix}
    return as_json({"code": error.code, "exit": int(error.exit), "message": error.what, **fields})


def as_json(value: Any) -> str:
    """``value`` as one line of strict JSON; numbers that are not finite become null."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def lines(result: Mapping[str, Any]) -> str:
    """A result as aligned ``key  value`` lines; inner tables get dotted keys, findings one line and their fix."""
    return align(list(_rows(result)))


def align(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max((len(key) for key, _ in rows), default=0)
    return "\n".join(f"{key:<{width}}  {value}".rstrip() for key, value in rows)


def _rows(result: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in result.items():
        name = escape(f"{prefix}{key}")
        if isinstance(value, Mapping) and value.keys() == _FINDING:
            yield name, f"{format_value(value['state']):<7}  {format_value(value['found'])}"
            if value["fix"]:
                yield "", f"{'':<7}  fix: {format_value(value['fix'])}"
        elif isinstance(value, Mapping) and value:
            yield from _rows(value, f"{name}.")
        elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
            for index, item in enumerate(value):
                yield from _rows({str(index): item}, f"{name}.")
        else:
            yield name, format_value(value)


def format_value(value: Any) -> str:
    """One value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(v) for v in value) or "-"
    return escape(str(value))
