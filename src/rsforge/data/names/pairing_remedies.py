"""What to do where nothing pairs: the remedy of the reason that counts most."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

Finding = tuple[str, str]

_WARP = "resample one image onto the grid of the other, as by `rio warp IMAGE NEW --like OTHER`"
_CUT = (
    "cut patches by `rsforge data tile --warp`, which resamples by control points without heights, or resample "
    "one image onto the grid of the other with a height model"
)
_REMEDIES = {
    "names it": "correct the file names in the table, or put the files where it says",
    "it is a link that leaves": "copy files in place of links, as by `cp -rL {root} {root}_files`, and name this",
    "capital letters alone": "give both images of a pair the same capital letters",
    "leading zeros alone": "give both images of a pair as many digits",
    "the nearest is": "give both images of a pair one name, or names that differ in s1 and s2, or sar and opt, alone",
    "has no partner": "give both images of a pair one name, or names that differ in s1 and s2, or sar and opt, alone",
    "the same name": "move one of the files of equal names away",
    "says neither": "put a word for SAR or optical in every name, or the images in folders s1 and s2",
    "there is no ": "put the folder that is missing beside the other",
    "ground control points alone": _CUT,
    "pixels apart": _WARP,
    "systems differ": _WARP,
    "pixels, optical": _WARP,
}
"""By a part of a reason, in the order in which they are looked for, what mends it."""


def choose_remedy(root: Path, findings: Sequence[Finding]) -> str:
    """The remedy of the commonest of ``findings`` (file, reason); empty where none is known."""
    counts = Counter(part for _, reason in findings if (part := _find_part(reason)))
    if not counts:
        return ""
    part = counts.most_common(1)[0][0]
    return _REMEDIES[part].format(root=shlex.quote(str(root)))


def _find_part(reason: str) -> str:
    return next((part for part in _REMEDIES if part in reason), "")
