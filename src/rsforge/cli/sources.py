"""Where values come from: option, --set, environment, files, default; merged, checked, and all errors told at once."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from rsforge.cli.config_files import Entry, Location
from rsforge.cli.leaves import Leaf, canonical, leaves, nearest, spellings
from rsforge.errors import RsforgeError

S = TypeVar("S", bound=BaseModel)
PREFIX = "RSFORGE_"
_SHOWN = 5


def _found(value: Any) -> str:
    return value[:80] if isinstance(value, str) and value else reprlib.repr(value)


class Problem(NamedTuple):
    """One rejected setting."""

    what: str
    where: str
    found: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.found and f'found {self.found}, '}{self.where})"


def environment() -> dict[str, str]:
    """The ``RSFORGE_*`` variables that hold something, by lower-case option name."""
    from pydantic_settings import BaseSettings, EnvSettingsSource

    variables = EnvSettingsSource(BaseSettings, case_sensitive=False, env_ignore_empty=True).env_vars
    prefix = PREFIX.lower()
    return {k.removeprefix(prefix): v for k, v in variables.items() if k.startswith(prefix) and v}


def from_environment(model: type[BaseModel], variables: dict[str, str]) -> list[Entry]:
    known = spellings(model)
    return [Entry((k,), v, f"env {PREFIX}{k.upper()}") for k, v in variables.items() if k in known]


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


def resolve(model: type[S], layers: Iterable[list[Entry]], *, lenient: bool = False) -> tuple[S, dict[str, str]]:
    """The settings that ``layers`` (weakest first) give over the defaults, and the origin of each by name.

    With ``lenient`` a required setting that nobody gave is ``(required)``. Raises RSF-U001 with every rejected
    setting, or RSF-U005 where settings are sound one by one but not together.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[Problem] = []
    for layer in layers:
        seen: dict[str, str] = {}
        for entry in layer:
            leaf = _leaf(model, entry, problems)
            if leaf is None:
                continue
            if leaf.name in seen and entry.origin != "--set":
                problems.append(Problem(f"{leaf.option} is given twice", f"{seen[leaf.name]} and {entry.origin}"))
            seen[leaf.name] = origins[leaf.name] = entry.origin
            values[leaf.name] = leaf.read(entry.value)
    if lenient:
        for leaf in leaves(model).values():
            if leaf.field.is_required() and leaf.name not in values:
                values[leaf.name], origins[leaf.name] = "(required)", "required"
    try:
        settings = model.model_validate(_tree(model, values))
    except ValidationError as error:
        raise _rejected(model, problems + _problems(model, error, values, origins)) from None
    if problems:
        raise _rejected(model, problems)
    return settings, {name: origins.get(name, "default") for name in leaves(model)}


def _leaf(model: type[BaseModel], entry: Entry, problems: list[Problem]) -> Leaf | None:
    known = spellings(model)
    *sections, key = map(canonical, entry.loc)
    leaf = known.get(key)
    if leaf is not None and (not sections or sections == list(leaf.loc[:-1])):
        return leaf
    shown = ".".join(entry.loc)
    if leaf is not None:
        advice = f"it stands in [{leaf.loc[0]}]" if len(leaf.loc) > 1 else "it stands in no section"
    else:
        near = nearest(key, [*known, *model.model_fields])
        advice = f"did you mean {known[near].name if near in known else near}?" if near else "unknown"
    problems.append(Problem(f"there is no key {shown}: {advice}", entry.origin, _found(entry.value)))
    return None


def _tree(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """``values`` nested into sections, over what the command's own sections set explicitly."""
    tree: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            tree[name] = {} if field.is_required() else field.get_default().model_dump(exclude_unset=True)
    for name, value in values.items():
        *sections, key = leaves(model)[name].loc
        (tree[sections[0]] if sections else tree)[key] = value
    return tree


def _problems(
    model: type[BaseModel], error: ValidationError, values: dict[str, Any], origins: dict[str, str]
) -> list[Problem]:
    by_loc = {leaf.loc: leaf for leaf in leaves(model).values()}
    found: dict[str, Problem] = {}
    for item in error.errors():
        loc = tuple(str(part) for part in item["loc"])
        leaf = by_loc.get(loc[:1]) or by_loc.get(loc[:2])
        if leaf is None:
            found[item["msg"]] = Problem(item["msg"].removeprefix("Value error, "), "")
            continue
        origin = origins.get(leaf.name, "option")
        where = f"option {leaf.option}" if origin == "option" and not leaf.argument else origin
        if item["type"] == "missing":
            found.setdefault(leaf.name, Problem(f"{leaf.option} is required", "not given"))
        else:
            what = f"{leaf.option} {_sentence(leaf, item['type'], item['msg'], item['input'])}"
            found.setdefault(leaf.name, Problem(what, where, _found(item["input"])))
    return list(found.values())


def _sentence(leaf: Leaf, kind: str, message: str, value: Any) -> str:
    if kind == "string_pattern_mismatch":
        return f"must be one of {leaf.limits}"
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    near = nearest(str(value), leaf.choices) if kind == "literal_error" else ""
    return message[0].lower() + message[1:] + (f"; did you mean {near}?" if near else "")


def _rejected(model: type[BaseModel], problems: list[Problem]) -> RsforgeError:
    together = all(not p.where for p in problems)
    code = "RSF-U005" if together else "RSF-U001"
    if len(problems) == 1:
        return RsforgeError(code, problems[0].what, where=problems[0].where, found=problems[0].found)
    lines = [str(p) if p.where else p.what for p in problems]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return RsforgeError(code, f"{len(problems)} settings were rejected", where="\n".join(lines[:_SHOWN] + more))
