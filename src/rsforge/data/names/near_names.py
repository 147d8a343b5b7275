"""How the nearest name differs from that of a file without a partner, in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

MOST_CANDIDATES = 2000
"""Above so many candidates only equal names but for case and zeros are looked for: the others take too long."""
_SIMILAR = 0.6


def describe_nearest(stem: str, candidates: Sequence[str]) -> str:
    """A clause about the one of ``candidates`` nearest to ``stem`` and how it differs; empty where none is near."""
    by_case = {name.casefold(): name for name in candidates}
    if stem.casefold() in by_case:
        return f"{by_case[stem.casefold()]} differs in capital letters alone"
    by_number = {_without_zeros(name): name for name in candidates}
    if _without_zeros(stem) in by_number:
        return f"{by_number[_without_zeros(stem)]} differs in leading zeros alone"
    if len(candidates) > MOST_CANDIDATES:
        return ""
    near = difflib.get_close_matches(stem, candidates, 1, _SIMILAR)
    return _describe_difference(stem, near[0]) if near else ""


def _without_zeros(name: str) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0])), name.casefold())


def _describe_difference(stem: str, other: str) -> str:
    blocks = difflib.SequenceMatcher(None, stem, other, autojunk=False).get_opcodes()
    parts = [(stem[a:b], other[c:d]) for kind, a, b, c, d in blocks if kind != "equal"]
    if len(parts) > 2:
        return f"the nearest is {other}"
    told = [
        f"{new!r} where it has {old!r}" if old and new else f"{new!r} more" if new else f"{old!r} less"
        for old, new in parts
    ]
    return f"the nearest is {other}, with {' and '.join(told)}"
