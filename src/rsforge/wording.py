"""Counts and lists in messages; standard library only."""

from __future__ import annotations

from collections.abc import Sequence


def count_noun(number: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def join_first(texts: Sequence[str], most: int, *, separator: str = "; ") -> str:
    """The first ``most`` texts, and how many are not shown: ``a; b; and 3 more``."""
    shown = separator.join(texts[:most])
    rest = len(texts) - most
    return f"{shown}{separator}and {rest} more" if rest > 0 else shown


def join_start(names: Sequence[str], most: int) -> str:
    """The first ``most`` names, with an ellipsis where there are more: ``a, b, ...``."""
    shown = ", ".join(names[:most])
    return f"{shown}, ..." if len(names) > most else shown
