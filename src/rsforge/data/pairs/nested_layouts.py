"""Layouts told by words in the paths: folders at any depth, letters A and B, and one folder of both modalities."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from rsforge.data.files.stack_paths import is_stack
from rsforge.data.io.image_reader import read_rgb
from rsforge.data.names.modality_words import (
    OPTICAL,
    SAR,
    key_of_folder,
    letter_of_folder,
    modality_of_folder,
    strip_word,
)
from rsforge.data.pairs.folders import ONE_SAR, FolderPair, Problems, walk_folders
from rsforge.data.pairs.names import list_entries, modality_of_stem, name_stem, natural_key, scan_stems
from rsforge.errors import RsforgeError

_GREY = 8  # of 255: what compression may make of equal bands
ChooseOptical = Callable[[Path, list[Path], list[str]], Path]
"""The one of several optical folders to take: root, folders and notes."""


def find_nested(root: Path, notes: list[str], choose_optical: ChooseOptical) -> list[FolderPair]:
    """Folders at any depth whose paths differ in words for SAR and optical alone, and folders A and B.

    RSF-D009 where several folders hold the SAR images of one optical folder.
    """
    folders = [folder for folder in walk_folders(root) if folder != root]
    groups = []
    for key, own in _group_by_key(root, folders).items():
        if own[SAR] and own[OPTICAL]:
            if len(own[SAR]) > 1:
                found = ", ".join(path.relative_to(root).as_posix() for path in own[SAR])
                what = "several folders hold SAR images"
                raise RsforgeError("RSF-D009", what, where=str(root), found=found, fix=ONE_SAR)
            optical = own[OPTICAL][0] if len(own[OPTICAL]) == 1 else choose_optical(root, own[OPTICAL], notes)
            groups.append(FolderPair(key, own[SAR][0], optical))
    return sorted(groups or _find_lettered(root, folders, notes), key=lambda group: natural_key(group.name))


def _group_by_key(root: Path, folders: list[Path]) -> Mapping[str, dict[int, list[Path]]]:
    """By path without words for a modality, the folders of each modality; the innermost word decides."""
    groups: dict[str, dict[int, list[Path]]] = defaultdict(lambda: {SAR: [], OPTICAL: []})
    for folder in folders:
        parts = folder.relative_to(root).parts
        modality = next((found for part in reversed(parts) if (found := modality_of_folder(part))), None)
        if modality:
            key = "/".join(rest for part in parts if (rest := key_of_folder(part)))
            groups[key][modality].append(folder)
    return groups


def _find_lettered(root: Path, folders: list[Path], notes: list[str]) -> list[FolderPair]:
    """Folders trainA and trainB, or train/A and train/B, where the first images show which is the grey SAR image."""
    sides: dict[str, dict[str, Path]] = defaultdict(dict)
    for folder in folders:
        letters = letter_of_folder(folder.name)
        if letters:
            parent = folder.parent.relative_to(root).as_posix()
            sides["/".join(part for part in (parent, letters[0]) if part not in (".", ""))][letters[1]] = folder
    groups = []
    for key, own in sides.items():
        if len(own) == 2 and (sar := _choose_sar(own)):
            optical = "B" if sar == "A" else "A"
            groups.append(FolderPair(key, own[sar], own[optical]))
            notes.append(
                f"{own[sar].relative_to(root)} is taken for SAR: its first image is grey, that of {optical} is not"
            )
    return groups


def _choose_sar(folders: Mapping[str, Path]) -> str:
    """The letter of the folder whose first image is grey, if that of the other is in colour; else empty."""
    grey = {letter: _is_grey(folder) for letter, folder in folders.items()}
    return next((letter for letter in grey if grey[letter]), "") if sum(grey.values()) == 1 else ""


def _is_grey(folder: Path) -> bool:
    try:
        pixels = read_rgb(list_entries(folder, folders=False)[0])
    except RsforgeError:
        return False
    return bool(np.ptp(pixels, axis=2).max() <= _GREY)


def find_mixed(root: Path) -> list[FolderPair]:
    """Folders of images of both modalities, told by words in their names, half of which at least have a partner."""
    groups = []
    for folder in walk_folders(root):
        stems = scan_stems(folder)
        keys: dict[int, set[str]] = {SAR: set(), OPTICAL: set()}
        for stem in stems:
            modality = modality_of_stem(stem)
            if modality:
                keys[modality].add(name_stem(Path(f"{stem}.")) if is_stack(stem) else strip_word(stem, modality) or "")
        shared = (keys[SAR] & keys[OPTICAL]) - {""}
        if shared and 4 * len(shared) >= len(stems):
            name = folder.relative_to(root).as_posix()
            groups.append(FolderPair("" if name == "." else name, folder, folder))
    return groups


def find_unread_sides(root: Path) -> Problems:
    """Folders that seem to be sides of pairs and were not understood, with what was seen in them.

    They are those with a word for SAR, letters A and B, and two folders of equal file names.
    """
    folders = list(walk_folders(root))
    found: Problems = []
    for folder in folders:
        name = folder.relative_to(root).as_posix()
        stems = scan_stems(folder)
        of_sar = sum(modality_of_stem(stem) == SAR for stem in stems)
        if folder != root and any(modality_of_folder(part) == SAR for part in folder.relative_to(root).parts):
            found.append((name, f"its name says SAR, and no optical folder was found for it: {_PLAIN}"))
        elif 2 * of_sar > len(stems):
            found.append((name, f"{of_sar} of its images have a word for SAR in their names: {_PLAIN}"))
        elif folder != root and letter_of_folder(folder.name):
            found.append((name, f"its name is a letter, and which is SAR is not to be seen: {_PLAIN}"))
    return (
        found or _find_equal_names(root, [folder for folder in folders if folder != root]) or _find_twos(root, folders)
    )


_PLAIN = "they are taken as plain images"
_FEWEST = 4


def _find_equal_names(root: Path, folders: list[Path]) -> Problems:
    """The one pair of folders of nearly equal file names: sides of pairs, or images and their labels.

    Words that all names of a folder have, such as ``pre`` and ``post``, do not count.
    """
    if len(folders) != 2:
        return []
    one, other = (_drop_common_words(scan_stems(folder)) for folder in folders)
    if min(len(one), len(other)) < _FEWEST or len(one & other) < 0.8 * max(len(one), len(other)):
        return []
    names = [folder.relative_to(root).as_posix() for folder in folders]
    return [(names[0], f"its file names are those of {names[1]}: pairs, or images and labels? {_PLAIN}")]


def _drop_common_words(stems: list[str]) -> set[str]:
    words = [re.split(r"[_\-. ]", stem) for stem in stems]
    if len({len(one) for one in words}) != 1:
        return set(stems)
    varied = [k for k, column in enumerate(zip(*words, strict=True)) if len(set(column)) > 1]
    return {"_".join(one[k] for k in varied) for one in words}


def _find_twos(root: Path, folders: list[Path]) -> Problems:
    """Folders in which every name occurs with both of two last words (``1_a`` and ``1_b``), or holds backslashes."""
    found: Problems = []
    for folder in folders:
        name = folder.relative_to(root).as_posix()
        stems = scan_stems(folder)
        if 2 * sum("\\" in stem for stem in stems) > len(stems):
            found.append(
                (name, f"its names hold backslashes, as a zip of Windows leaves them: unpack it again; {_PLAIN}")
            )
            continue
        ends: dict[str, set[str]] = defaultdict(set)
        for stem in stems:
            start, _, end = stem.rpartition("_")
            ends[start].add(end)
        words = set().union(*ends.values())
        if len(stems) >= 2 * _FEWEST and len(words) == 2 and all(own == words for own in ends.values()):
            both = " and ".join(sorted(words))
            found.append((name, f"its names come in twos, ending in {both}: pairs, or images and labels? {_PLAIN}"))
    return found
