"""Which SAR file belongs to which optical file, by their names in two folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.files.safe_paths import find_stray
from rsforge.data.files.stack_paths import find_members, find_polarisation, is_radar, is_stack, name_whole
from rsforge.data.files.stacks import stack_files
from rsforge.data.files.walk import is_image, is_left_behind
from rsforge.data.names.modality_words import OPTICAL, SAR, strip_folder, strip_word
from rsforge.data.names.near_names import describe_nearest
from rsforge.data.tables.characters import compose

SEN12 = re.compile(r"ROIs(?P<roi>\d+)_(?P<season>[a-z]+)_(?P<scene>\d+)_p\d+")
_TOKENS = {modality: re.compile(rf"(^|[_\-. ])s{modality}(?=[_\-. ]|$)", re.IGNORECASE) for modality in (1, 2)}
MOST_EXPLAINED = 50
"""So many orphans of a folder get the nearest name beside their reason."""


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
    """The folders in ``folder``, or its images, in natural order, without hidden ones and those left behind.

    Files of one band each are listed by the path of their set, and so are folders VV and VH, or of names that differ in
    these words, whose images have equal names.
    """
    roots = find_members(folder) or [folder]
    entries = _scan_paths(roots, folders=folders)
    listed = _stack_folders(entries) if folders else stack_files(entries).images
    return sorted(listed, key=lambda path: natural_key(path.name))


def _stack_folders(folders: list[Path]) -> list[Path]:
    """``folders``, those of polarisations whose images have equal names as one."""
    several = [path for path in folders if find_polarisation(path.name)]
    together = {path.parent for path in stack_files(_scan_paths(several, folders=False)).images}
    together = {path for path in together if is_stack(path.name)}
    members = {member for path in together for member in find_members(path)}
    return [path for path in folders if path not in members] + sorted(together)


def scan_names(folder: Path, *, folders: bool) -> Iterator[str]:
    """The names of single entries, in no order, one by one: large folders are not sorted to be looked into."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_left_behind(entry.name) or _is_folder(entry, folders) != folders:
                continue
            if folders or is_image(Path(entry.name)):
                yield entry.name


def scan_stems(folder: Path) -> list[str]:
    """The names of the images in ``folder`` without suffixes, in no order."""
    roots = find_members(folder) or [folder]
    return [path.stem for path in stack_files(_scan_paths(roots, folders=False)).images]


def _scan_paths(roots: Iterable[Path], *, folders: bool) -> list[Path]:
    return [root / name for root in roots for name in scan_names(root, folders=folders)]


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
    """Pair the images of two folders: by equal stems, then without tokens s1 and s2, then without other such words.

    Stems are compared as people read them (NFC). Where both are one folder, the word in a name tells its modality.
    The reason of an orphan says how the nearest name differs.
    """
    result = Match()
    if sar == optical:
        sar_files, optical_files = _part_folder(root, sar, result)
    else:
        sar_files, optical_files = (
            _index_by_stem(root, list_entries(folder, folders=False), result) for folder in (sar, optical)
        )
    _take_pairs(sar_files, optical_files, result)
    sar_files, optical_files = _index_by_key(sar_files, 1, result), _index_by_key(optical_files, 2, result)
    _take_pairs(sar_files, optical_files, result)
    _take_by_words(sar_files, optical_files, result)
    for own, others, folder in ((sar_files, optical_files, optical), (optical_files, sar_files, sar)):
        result.orphans += _explain_orphans(own, others, folder)
    result.pairs.sort(key=lambda pair: natural_key(pair[0]))
    return result


def _part_folder(root: Path, folder: Path, result: Match) -> tuple[dict[str, Path], dict[str, Path]]:
    """The SAR and the optical images of one folder by stem; those without a word for either are orphans."""
    parts: tuple[list[Path], list[Path]] = ([], [])
    for path in list_entries(folder, folders=False):
        modality = modality_of_stem(path.stem)
        if modality is None:
            result.orphans.append((path, "its name says neither SAR nor optical"))
        else:
            parts[modality - 1].append(path)
    return _index_by_stem(root, parts[0], result), _index_by_stem(root, parts[1], result)


def name_stem(path: Path) -> str:
    """The name of an image without its suffix, and of a set of files without its bands."""
    return Path(name_whole(str(path))).stem


def modality_of_stem(stem: str) -> int | None:
    """1 or 2 where a name has a word for SAR or for optical images, and not for both; bands of sets tell it, too."""
    if is_stack(stem):
        return SAR if is_radar(stem) else OPTICAL
    found = [modality for modality in (1, 2) if strip_word(stem, modality) is not None]
    return found[0] if len(found) == 1 else None


def _take_by_words(sar_files: dict[str, Path], optical_files: dict[str, Path], result: Match) -> None:
    """Move into the pairs what is equal without other words: sar1 and opt1, or the name of the folder in a name."""
    sar_keys, optical_keys = _index_by_word(sar_files, 1), _index_by_word(optical_files, 2)
    for key in sorted(sar_keys.keys() & optical_keys.keys(), key=natural_key):
        own, other = sar_keys[key], optical_keys[key]
        result.pairs.append((key, sar_files.pop(own), optical_files.pop(other)))


def _index_by_word(files: dict[str, Path], modality: int) -> dict[str, str]:
    """By stem without its word, the key in ``files``; names that are equal without theirs are left out."""
    keys: dict[str, str] = {}
    twice = set()
    for key, path in files.items():
        folder = compose(path.parent.name)
        bare = strip_folder(key, folder) if strip_word(folder, modality) is not None else None
        bare = strip_word(key, modality) if bare is None else bare
        bare = key if bare is None else bare
        if bare in keys or not bare:
            twice.add(bare)
        keys[bare] = key
    return {bare: key for bare, key in keys.items() if bare not in twice}


def _explain_orphans(own: dict[str, Path], others: dict[str, Path], folder: Path) -> Iterator[tuple[Path, str]]:
    candidates = [name_stem(path) for path in others.values()]
    for number, path in enumerate(own.values()):
        near = describe_nearest(name_stem(path), candidates) if number < MOST_EXPLAINED and candidates else ""
        yield path, f"{folder.name} has no partner of it{f': {near}' if near else ''}"


def _take_pairs(sar_files: dict[str, Path], optical_files: dict[str, Path], result: Match) -> None:
    """Move files with equal keys into the pairs of ``result``."""
    for key in sorted(sar_files.keys() & optical_files.keys(), key=natural_key):
        result.pairs.append((key, sar_files.pop(key), optical_files.pop(key)))


def _index_by_stem(root: Path, images: Iterable[Path], result: Match) -> dict[str, Path]:
    stems: dict[str, Path] = {}
    for path in images:
        stem = compose(name_stem(path))
        if stray := find_stray(root, path):
            result.orphans.append((path, stray))
        elif stem in stems:
            result.orphans.append((path, f"{stems[stem].name} has the same name"))
        else:
            stems[stem] = path
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
