"""Which SAR file belongs to which optical file: by name, in folders side by side."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from rsforge import durable
from rsforge.data.io.image_reader import SUFFIXES

SEN12 = re.compile(r"ROIs(?P<roi>\d+)_(?P<season>[a-z]+)_(?P<scene>\d+)_p\d+")
_SIDE = {n: re.compile(rf"(^|[_\-. ])s{n}(?=[_\-. ]|$)", re.IGNORECASE) for n in (1, 2)}


@dataclass
class Match:
    """Files side by side: ``pairs`` of (name without the token, SAR, optical), ``orphans`` of (file, reason)."""

    pairs: list[tuple[str, Path, Path]] = field(default_factory=list)
    orphans: list[tuple[Path, str]] = field(default_factory=list)


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sorting key that puts p2 before p10."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if k % 2 else (1, 0, part) for k, part in enumerate(parts)]


def listing(folder: Path, *, folders: bool) -> list[Path]:
    """The folders in ``folder``, or its image files, in natural order, hidden and half-written ones left out."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", durable.TEMPORARY)) or entry.is_dir() != folders:
                continue
            if folders or Path(entry.name).suffix.lower() in SUFFIXES:
                found.append(folder / entry.name)
    return sorted(found, key=lambda path: natural(path.name))


def token_free(stem: str, side: int) -> str:
    """``stem`` without its token s1 or s2, which stands between separators: ``ROIs1_s1_p3`` gives ``ROIs1_p3``."""
    return _SIDE[side].sub("", stem, count=1).lstrip("_-. ")


def match(root: Path, sar: Path, optical: Path) -> Match:
    """Pair the images of two folders: first by equal stems, then by stems without their tokens s1 and s2."""
    result = Match()
    sides = {1: _by_stem(root, sar, result), 2: _by_stem(root, optical, result)}
    for stem in sorted(sides[1].keys() & sides[2].keys(), key=natural):
        result.pairs.append((stem, sides[1].pop(stem), sides[2].pop(stem)))
    keyed = {side: _by_key(sides[side], side, result) for side in sides}
    for key in sorted(keyed[1].keys() & keyed[2].keys(), key=natural):
        result.pairs.append((key, keyed[1].pop(key), keyed[2].pop(key)))
    for side, other in ((1, optical), (2, sar)):
        result.orphans += [(path, f"{other.name} has no partner of it") for path in keyed[side].values()]
    result.pairs.sort(key=lambda pair: natural(pair[0]))
    return result


def _by_stem(root: Path, folder: Path, result: Match) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    resolved = root.resolve()
    for path in listing(folder, folders=False):
        if path.is_symlink() and not path.resolve().is_relative_to(resolved):
            result.orphans.append((path, "it is a link that leaves the data folder"))
        elif path.stem in stems:
            result.orphans.append((path, f"{stems[path.stem].name} has the same name"))
        else:
            stems[path.stem] = path
    return stems


def _by_key(stems: dict[str, Path], side: int, result: Match) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for stem, path in stems.items():
        key = token_free(stem, side)
        if key in keys:
            result.orphans.append((path, f"{keys[key].name} has the same name but for the token s{side}"))
        else:
            keys[key] = path
    return keys
