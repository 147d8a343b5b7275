"""Which SAR file belongs to which optical file, by their names in two folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.files.walk import is_image, is_left_behind
from rsforge.data.io.safe_paths import find_stray

SEN12 = re.compile(r"ROIs(?P<roi>\d+)_(?P<season>[a-z]+)_(?P<scene>\d+)_p\d+")
_TOKENS = {modality: re.compile(rf"(^|[_\-. ])s{modality}(?=[_\-. ]|$)", re.IGNORECASE) for modality in (1, 2)}


@dataclass
class Match:
    """Files of two folders: ``pairs`` of (name without token, SAR, optical), ``orphans`` of (file, reason)."""

    pairs: list[tuple[str, Path, Path]] = field(default_factory=list)
    orphans: list[tuple[Path, str]] = field(default_factory=list)


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A sorting key that compares numbers by value: p2 comes before p10."""
    parts = re.split(r"([0-9]+)", name)
    return [(0, int(part), part) if k % 2 else (1, 0, part) for k, part in enumerate(parts)]


def list_entries(folder: Path, *, folders: bool) -> list[Path]:
    """The folders in ``folder``, or its image files, in natural order, without hidden ones and those left behind."""
    paths = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_left_behind(entry.name) or _is_folder(entry, folders) != folders:
                continue
            if folders or is_image(Path(entry.name)):
                paths.append(folder / entry.name)
    return sorted(paths, key=lambda path: natural_key(path.name))


def _is_folder(entry: os.DirEntry[str], presumed: bool) -> bool:
    """Whether an entry is a folder; a link to itself is what is ``presumed``, so that it is named and not lost."""
    try:
        return entry.is_dir()
    except OSError:
        return presumed


def strip_token(stem: str, modality: int) -> str:
    """``stem`` without its token s1 or s2 between separators: ``ROIs1_s1_p3`` gives ``ROIs1_p3`` for ``modality`` 1."""
    return _TOKENS[modality].sub("", stem, count=1).lstrip("_-. ")


def match_names(root: Path, sar: Path, optical: Path) -> Match:
    """Pair the images of two folders: first by equal stems, then by stems without their tokens s1 and s2."""
    result = Match()
    sar_files, optical_files = _index_by_stem(root, sar, result), _index_by_stem(root, optical, result)
    _take_pairs(sar_files, optical_files, result)
    sar_files, optical_files = _index_by_key(sar_files, 1, result), _index_by_key(optical_files, 2, result)
    _take_pairs(sar_files, optical_files, result)
    result.orphans += [(path, f"{optical.name} has no partner of it") for path in sar_files.values()]
    result.orphans += [(path, f"{sar.name} has no partner of it") for path in optical_files.values()]
    result.pairs.sort(key=lambda pair: natural_key(pair[0]))
    return result


def _take_pairs(sar_files: dict[str, Path], optical_files: dict[str, Path], result: Match) -> None:
    """Move files with equal keys into the pairs of ``result``."""
    for key in sorted(sar_files.keys() & optical_files.keys(), key=natural_key):
        result.pairs.append((key, sar_files.pop(key), optical_files.pop(key)))


def _index_by_stem(root: Path, folder: Path, result: Match) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in list_entries(folder, folders=False):
        if stray := find_stray(root, path):
            result.orphans.append((path, stray))
        elif path.stem in stems:
            result.orphans.append((path, f"{stems[path.stem].name} has the same name"))
        else:
            stems[path.stem] = path
    return stems


def _index_by_key(stems: dict[str, Path], modality: int, result: Match) -> dict[str, Path]:
    keys: dict[str, Path] = {}
    for stem, path in stems.items():
        key = strip_token(stem, modality)
        if key in keys:
            result.orphans.append((path, f"{keys[key].name} has the same name but for the token s{modality}"))
        else:
            keys[key] = path
    return keys
