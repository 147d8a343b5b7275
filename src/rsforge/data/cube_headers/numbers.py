"""Numbers in the headers of cubes, with points or commas for decimals."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]


def parse_numbers(value: Any, words: Mapping[str, float] = {}) -> F64 | None:
    """Numbers ``(n,)`` of an array, a number or a text in which they are separated; None where something is none.

    ``words`` are those that stand for numbers.
    """
    array = np.asarray(value)
    if array.dtype.kind in "iufb":
        return array.astype(float).ravel()
    text = " ".join(as_text(part) for part in array.ravel().tolist())
    found = [word for word in re.split(r"[\s,;{}\[\]()'\"]+", text) if word]
    try:
        return np.array([words[w.lower()] if w.lower() in words else float(w) for w in found]) if found else None
    except ValueError:
        return None


def as_text(value: object) -> str:
    """A value of a header as text, where it may be bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def parse_so_many(value: Any, counts: Collection[int]) -> F64 | None:
    """``parse_numbers``, with commas for decimals where the numbers are not one of ``counts`` otherwise, and then are.

    Then blanks or semicolons separate, as programs of some countries write: ``{400,5, 410,5}``.
    """
    numbers = parse_numbers(value)
    if isinstance(value, str) and (numbers is None or len(numbers) not in counts):
        decimals = parse_numbers(write_points(value))
        return decimals if decimals is not None and len(decimals) in counts else numbers
    return numbers


def doubt_commas(value: Any, count: int) -> str:
    """What to do about a text of twice as many numbers as ``count``, whose commas may be decimals; empty for others."""
    numbers = parse_numbers(value)
    if not isinstance(value, str) or numbers is None or len(numbers) != 2 * count or write_points(value) == value:
        return ""
    return "; if half of its commas are decimals, write points for these (400.5,410.5), or blanks between the numbers"


def write_points(text: str) -> str:
    """``text`` with points for the commas between digits, unless it has points already."""
    return text if "." in text else re.sub(r"(?<=\d),(?=\d)", ".", text)
