"""A settings model seen from the shell: its leaves, their names, and how their text is read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rsforge.settings.sections import Location, Setting, settings_of, spell_flag

_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_NAMES = {int: "INT", float: "FLOAT", Path: "PATH"}


def canonical(name: str) -> str:
    """The field name that an option, variable or file key spells."""
    return name.lstrip("-").replace("-", "_").lower()


def nearest(name: str, names: Iterator[str] | list[str]) -> str:
    """The one of ``names`` most like ``name``, or nothing."""
    return next(iter(get_close_matches(name, list(names), 1, 0.6)), "")


_COMMA = re.compile(r",(?![^{}]*\})")


@dataclass(frozen=True)
class Leaf:
    """One scalar or list setting of a command, and the environment variable of its own that it has, if any."""

    setting: Setting
    variable: str = ""

    @property
    def name(self) -> str:
        return self.setting.name

    @property
    def loc(self) -> Location:
        return self.setting.loc

    @property
    def field(self) -> FieldInfo:
        return self.setting.field

    @property
    def panel(self) -> str:
        return self.setting.panel

    @property
    def extra(self) -> dict[str, Any]:
        return self.field.json_schema_extra if isinstance(self.field.json_schema_extra, dict) else {}

    @property
    def option(self) -> str:
        return self.name if self.argument else "--" + self.name.replace("_", "-")

    @property
    def argument(self) -> bool:
        return bool(self.extra.get("argument"))

    @property
    def options(self) -> list[str]:
        return [self.option, *map(self._add_prefix, self.extra.get("aliases", []))]

    @property
    def keys(self) -> list[str]:
        """What a file may call it inside its section: names without the prefix of the section."""
        return [canonical(name) for name in (self.loc[-1], *self.extra.get("aliases", []))]

    def _add_prefix(self, option: str) -> str:
        prefix = self.setting.prefix
        return f"--{prefix}-{option.lstrip('-')}" if prefix and option.startswith("--") else option

    @property
    def flags(self) -> dict[str, str]:
        """Spellings without a value and what they stand for: ``--no-mixed-precision``, ``--use-8bit-adam``."""
        negative = {f"--no-{self.option[2:]}": self.extra["negative"]} if "negative" in self.extra else {}
        return negative | {self._add_prefix(flag): value for flag, value in self.extra.get("stands_for", {}).items()}

    @property
    def optional(self) -> bool:
        return type(None) in get_args(self.field.annotation)

    @property
    def kind(self) -> Any:
        """The annotation without ``None`` and ``Annotated``."""
        kind: Any = self.field.annotation
        if get_origin(kind) in (Union, UnionType):
            kind = next(a for a in get_args(kind) if a is not type(None))
        return getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind

    @property
    def many(self) -> bool:
        return get_origin(self.kind) is tuple

    @property
    def choices(self) -> list[str]:
        kind = get_args(self.kind)[0] if self.many else self.kind
        return list(get_args(kind)) if get_origin(kind) is Literal else []

    @property
    def metavar(self) -> str:
        kind = get_args(self.kind)[0] if self.many else self.kind
        kind = getattr(kind, "__origin__", kind) if hasattr(kind, "__metadata__") else kind
        name = "NAME" if self.choices else _NAMES.get(kind, "TEXT")
        return str(self.extra.get("metavar", name + "..." * self.many))

    @property
    def limits(self) -> str:
        """The values that may be given, e.g. ``>=0 <1`` or the names to choose from."""
        if self.choices or "choices" in self.extra:
            return " | ".join(self.choices or self.extra["choices"])
        marks = [*self.field.metadata, *_marks(self.field.annotation)]
        found = {key: getattr(mark, key) for key in _BOUNDS for mark in marks if getattr(mark, key, None) is not None}
        return " ".join(f"{_BOUNDS[key]}{_spell_bound(value)}" for key, value in found.items())

    def read(self, value: Any) -> Any:
        """``value`` as the model wants it: lists split, ``none`` understood, flags of choices spelt out."""
        value = spell_flag(self.field, value)
        if isinstance(value, str) and self.optional and value.lower() in ("none", "null"):
            return None
        if not self.many or value is None:
            return value
        items = value if isinstance(value, list | tuple) else [value]
        return [part for item in items for part in _parts(item)]

    def default(self) -> Any:
        return self.field.get_default(call_default_factory=True)


def _spell_bound(value: float) -> str:
    """Short and exact: 1e+09 for a thousand million, 2^63-1 for the largest whole number of 64 bits."""
    short = f"{value:g}"
    if float(short) == value and (isinstance(value, float) or int(float(short)) == value):
        return short
    power = math.log2(value + 1) if value > 0 else 0.5
    return f"2^{power:.0f}-1" if 2 ** round(power) - 1 == value else str(value)


def _marks(annotation: Any) -> list[Any]:
    """The bounds of a number that may be absent, or of those in a list."""
    marks: list[Any] = []
    for mark in getattr(annotation, "__metadata__", ()):
        marks += getattr(mark, "metadata", [mark])
    for inner in get_args(annotation):
        if get_origin(annotation) is not Literal:
            marks += _marks(inner)
    return marks


def _parts(item: Any) -> list[Any]:
    """The parts of a text between commas; those in braces are of one name, ``P_{VV,VH}.tif``.

    Of a text without parts, such as an unset shell variable gives, itself, which the settings refuse.
    """
    return [p.strip() for p in _COMMA.split(item) if p.strip()] or [item.strip()] if isinstance(item, str) else [item]


@lru_cache
def leaves(model: type[BaseModel]) -> dict[str, Leaf]:
    """The leaves of ``model`` by flat name, sections flattened, with the defaults of this command."""
    variables = {option: name for name, option in variables_of(model).items()}
    by_name = {name: Leaf(setting, variables.get(name, "")) for name, setting in settings_of(model).items()}
    if unknown := variables.keys() - by_name.keys():
        raise TypeError(f"{model.__name__}: no setting is called {', '.join(sorted(unknown))}")
    spelt = [canonical(option) for leaf in by_name.values() for option in leaf.options]
    if len(set(spelt)) != len(spelt):
        raise TypeError(f"{model.__name__}: two settings share a name")
    return by_name


@lru_cache
def spellings(model: type[BaseModel]) -> dict[str, Leaf]:
    """The leaves of ``model`` by every name a user may call them."""
    return {canonical(o): leaf for leaf in leaves(model).values() for o in leaf.options}


def variables_of(model: type[BaseModel]) -> dict[str, str]:
    """The environment variables without our prefix that ``model`` reads, and the flat name that each sets."""
    return dict(getattr(model, "variables", {}))
