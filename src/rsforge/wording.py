"""Counts and lists in messages; standard library only."""

from __future__ import annotations

from collections.abc import Sequence


def count_noun(number: int, noun: str, plural: str = "") -> str:
    """``1 pair``, ``2 pairs``, ``2 patches``; ``plural`` where it is another."""
    ending = "es" if noun.endswith(("ch", "sh", "s", "x")) else "s"
    return f"{number} {agree(number, noun, plural or noun + ending)}"


def agree(number: int, singular: str, plural: str) -> str:
    """The word for one or for several: ``1 file is``, ``2 files are``."""
    return singular if number == 1 else plural


def join_first(texts: Sequence[str], most: int, *, separator: str = "; ") -> str:
    """The first ``most`` texts, and how many are not shown: ``a; b; and 3 more``."""
    shown = separator.join(texts[:most])
    rest = len(texts) - most
    return f"{shown}{separator}and {rest} more" if rest > 0 else shown


def join_start(names: Sequence[str], most: int) -> str:
    """The first ``most`` names, with an ellipsis where there are more: ``a, b, ...``."""
    shown = ", ".join(names[:most])
    return f"{shown}, ..." if len(names) > most else shown
