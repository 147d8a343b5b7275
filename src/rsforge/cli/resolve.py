"""Layers of values become one checked settings object; every value knows its origin, all errors come at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rsforge.cli.config_files import Entry
from rsforge.cli.keys import Given, Problem, shorten, understand
from rsforge.cli.leaves import Leaf, canonical, leaves, nearest
from rsforge.errors import RsforgeError
from rsforge.settings.sections import DEFAULT, nest

S = TypeVar("S", bound=BaseModel)
_SHOWN = 5
_WHOLE = "must be a valid integer,"
_NO_NUMBER = {
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": "must be a valid number,",
    "float_parsing": "must be a valid number,",
}
_OPTION = re.compile(r"--(?:no-)?[a-z][a-z0-9-]*")


def resolve(model: type[S], layers: Iterable[list[Entry]], *, lenient: bool = False) -> tuple[S, dict[str, str]]:
    """The settings that ``layers`` (weakest first) give over the defaults, and the origin of each by name.

    With ``lenient`` a required setting that nobody gave is ``(required)``. Raises RSF-U001 with every rejected
    setting, or RSF-U005 where settings are sound one by one but not together.
    """
    problems: list[Problem] = []
    given: dict[str, Given] = {}
    for layer in layers:
        newest = _of_one_layer(model, layer, problems)
        _give_way(given, newest, model, problems)
        given |= newest
    values = {name: item.value for name, item in given.items()}
    origins = {name: given[name].origin if name in given else DEFAULT for name in leaves(model)}
    if lenient:
        for leaf in leaves(model).values():
            if leaf.field.is_required() and leaf.name not in values:
                values[leaf.name], origins[leaf.name] = "(required)", "required"
    try:
        settings = model.model_validate(nest(model, values))
    except ValidationError as error:
        raise _rejection(problems + _problems(model, error, given)) from None
    if problems:
        raise _rejection(problems)
    return settings, origins


def _of_one_layer(model: type[BaseModel], layer: list[Entry], problems: list[Problem]) -> dict[str, Given]:
    """What the entries of one layer give, by name; an option that two of them give is a problem."""
    given: dict[str, Given] = {}
    for item in understand(model, layer, problems):
        before = given.get(item.leaf.name)
        if before is not None and item.origin != "--set":
            problems.append(Problem(f"{item.leaf.option} is given twice", f"{before.origin} and {item.origin}"))
        given[item.leaf.name] = item
    return given


def _give_way(
    given: dict[str, Given], newest: dict[str, Given], model: type[BaseModel], problems: list[Problem]
) -> None:
    """Drop from ``given`` what an option of a stronger layer replaces; two of one layer are a problem."""
    for name, leaf in leaves(model).items():
        other = leaf.extra.get("replaces", "")
        if name in newest and other in newest:
            options = f"{leaf.option} and {leaves(model)[other].option}"
            places = f"{_where(leaf, newest)}, {_where(leaves(model)[other], newest)}"
            problems.append(Problem(f"{options} exclude each other", places))
        elif name in newest:
            given.pop(other, None)
        elif other in newest:
            given.pop(name, None)


def _problems(model: type[BaseModel], error: ValidationError, given: dict[str, Given]) -> list[Problem]:
    by_loc = {leaf.loc: leaf for leaf in leaves(model).values()}
    found: dict[str, Problem] = {}
    for item in error.errors():
        loc = tuple(str(part) for part in item["loc"])
        leaf = by_loc.get(loc[:1]) or by_loc.get(loc[:2])
        if leaf is None:
            message = item["msg"].removeprefix("Value error, ")
            found[message] = Problem(_with_prefixes(model, loc, message), "")
        elif item["type"] == "missing" and loc != leaf.loc:
            what = f"{leaf.option} takes {len(leaf.default())} values"
            found.setdefault(
                leaf.name, Problem(what, _where(leaf, given), shorten(" ".join(map(str, item["input"] or ()))))
            )
        elif item["type"] == "missing":
            found.setdefault(leaf.name, Problem(f"{leaf.option} is required: {_meaning(leaf)}", "not given"))
        else:
            what = f"{leaf.option} {_sentence(leaf, item)}"
            found.setdefault(leaf.name, Problem(what, _where(leaf, given), shorten(item["input"])))
    for name in _follow_from_others(model, error):
        found.pop(name, None)
    return list(found.values())


def _follow_from_others(model: type[BaseModel], error: ValidationError) -> set[str]:
    """Missing settings that another one would have given, which is missing too: only that one is asked for."""
    missing = {tuple(map(str, item["loc"])) for item in error.errors() if item["type"] == "missing"}
    lacking = [leaf for leaf in leaves(model).values() if leaf.loc in missing]
    if all("absent" in leaf.extra for leaf in lacking):
        return set()
    return {leaf.name for leaf in lacking if "absent" in leaf.extra}


def _meaning(leaf: Leaf) -> str:
    text = (leaf.field.description or "").rstrip(".")
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    made = leaf.extra.get("made")
    if "absent" in leaf.extra:
        return f"{text}; else {leaf.extra['absent']}, and there is none"
    return f"{text}; `rsforge {leaf.extra['by']}` makes {made}, which is not there" if made else text


def _where(leaf: Leaf, given: dict[str, Given]) -> str:
    item = given.get(leaf.name)
    if item is None or item.origin == "option":
        return "option" if leaf.argument else f"option {leaf.option}"
    return f"{item.origin}, key {item.key}" if item.key else item.origin


def _with_prefixes(model: type[BaseModel], loc: tuple[str, ...], message: str) -> str:
    """What a section says of its options, which may have a prefix in this command."""
    inside = {leaf.loc[-1]: leaf for leaf in leaves(model).values() if leaf.loc[:-1] == loc[:1]}

    def add_prefix(match: re.Match[str]) -> str:
        negation = "no-" if match[0].startswith("--no-") else ""
        leaf = inside.get(canonical(match[0].removeprefix(f"--{negation}")))
        return f"--{negation}{leaf.option[2:]}" if leaf else match[0]

    return _OPTION.sub(add_prefix, message)


def _sentence(leaf: Leaf, item: ErrorDetails) -> str:
    kind = item["type"]
    if kind == "string_pattern_mismatch":
        return f"must be one of {leaf.limits}" if leaf.limits else f"must be {leaf.extra.get('form', 'a single line')}"
    if kind == "too_long":
        return f"must have at most {item['ctx']['max_length']} values"
    if kind in _NO_NUMBER:
        return f"{_NO_NUMBER[kind]} {leaf.limits}".rstrip(" ,")
    message = item["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    near = nearest(str(item["input"]), leaf.choices) if kind == "literal_error" else ""
    return message[0].lower() + message[1:] + (f"; did you mean {near}?" if near else "")


def _rejection(problems: list[Problem]) -> RsforgeError:
    together = all(not p.where for p in problems)
    code = "RSF-U005" if together else "RSF-U001"
    if len(problems) == 1:
        return RsforgeError(code, problems[0].what, where=problems[0].where, found=problems[0].found)
    lines = [str(p) if p.where else p.what for p in problems]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return RsforgeError(code, f"{len(problems)} settings were rejected", where="\n".join(lines[:_SHOWN] + more))
