"""What ``--dry-run`` shows: the plan, then the settings that are not the defaults; all of them as JSON."""

from __future__ import annotations

import shlex
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from rsforge.cli.leaves import Leaf, leaves
from rsforge.cli.render import align, format_value, lines
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import Result
from rsforge.settings.sections import DEFAULT, flatten
from rsforge.wording import count_noun

OPTIONS = ("--dry-run", "-n")


def describe_dry_run(result: Any, settings: BaseModel, console: TerminalConsole) -> Result:
    """The result of a command that only planned: for programs with every setting and its origin, for people short."""
    plan = result.data if isinstance(result, Result) else dict(result or {})
    tree = settings.model_dump(mode="json")
    data = {"dry_run": True, "settings": tree, "origins": console.origins, "plan": plan}
    text = result.text if isinstance(result, Result) else lines(plan)
    changed = list_changed(settings, console.origins)
    count = count_noun(len(leaves(type(settings))) - len(changed), "other setting")
    start = shlex.join(["rsforge", *(word for word in console.argv if word.replace("_", "-") not in OPTIONS)])
    parts = [
        "plan",
        _indent(text),
        "settings",
        _indent(f"{align(changed)}\n({count} as by default)".lstrip("\n")),
        "nothing was written; to start:",
        _indent(start),
    ]
    return Result(data, "\n".join(parts))


def list_changed(settings: BaseModel, origins: dict[str, str]) -> list[tuple[str, str]]:
    """Option and value of every setting that is not as by default, with where it came from."""
    values = flatten(settings, type(settings))
    return [
        (leaf.option, f"{format_value(values[name])}  ({_describe_origin(origins[name])})")
        for name, leaf in leaves(type(settings)).items()
        if name in values and not _is_default(leaf, values[name])
    ]


def _is_default(leaf: Leaf, value: Any) -> bool:
    return not leaf.field.is_required() and to_jsonable_python(leaf.default()) == value


def _describe_origin(origin: str) -> str:
    return origin.removeprefix(f"{DEFAULT}: ")


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
