"""Remedies name only options that the command has."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from rsforge.cli.leaves import leaves
from rsforge.cli.tree import COMMANDS, COMMON, common_options

_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
_OTHER_COMMAND = re.compile(r"`[^`]*`|rsforge .*")


def list_options(path: Sequence[str]) -> set[str]:
    """Every spelling of every option of a command; none where there is no such command."""
    command = COMMANDS.get(tuple(path))
    if command is None:
        return set()
    known = leaves(command.model).values()
    own = {option for leaf in known for option in (*leaf.options, *leaf.flags)}
    own |= {f"--no-{option[2:]}" for leaf in known if leaf.kind is bool for option in leaf.options}
    return own | {option for name in common_options(command) for option in COMMON[name][1]}


def keep_possible_ways(remedy: str, options: Collection[str]) -> str:
    """``remedy`` without those of its alternatives whose options are none of ``options``.

    Alternatives are separated by commas, the last by ``, or``. All stay where none would.
    """
    ways = re.split(r", or |, ", remedy)
    possible = [way for way in ways if _is_possible(way, options)]
    if ", or " not in remedy or not options or len(possible) in (0, len(ways)):
        return remedy
    end = "." if remedy.endswith(".") else ""
    *first, last = [way.removesuffix(".") for way in possible]
    text = (", ".join(first) + ", or " if first else "") + last
    return (text[0].upper() if remedy[0].isupper() else text[0]) + text[1:] + end


def _is_possible(way: str, options: Collection[str]) -> bool:
    named = _OPTION.findall(_OTHER_COMMAND.sub("", way))
    return not named or any(name in options for name in named)
