"""Folders of SAR and of optical images that belong together, and what lies in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rsforge.data.files.safe_paths import find_stray
from rsforge.data.files.stack_paths import find_members, is_stack
from rsforge.data.pairs.names import list_entries, scan_names

Problems = list[tuple[str, str]]
"""Folder, and the reason why it is named."""
ONE_SAR = (
    "keep one SAR folder beside the optical one; two of one polarisation each, whose files have equal names, are read "
    "as one where they are called VV and VH, or alike but for these words (s1_vv, s1_vh)"
)
DEPTH = 4
"""So many folders below the root are looked into."""


@dataclass(frozen=True)
class FolderPair:
    """A folder of SAR images and one of optical images; ``name`` is their common folder below the root, or empty.

    Both are one folder where names alone tell the modality. ``partners`` are the folders of the two images of each
    pair, where metadata say which these are, and ``facts`` what a table says of pairs, by name of the optical folder.
    """

    name: str
    sar: Path
    optical: Path
    partners: tuple[tuple[Path, Path], ...] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def list_folders(folder: Path, problems: Problems) -> list[Path]:
    """The folders in ``folder``; links that lead out of it are left out."""
    folders = []
    try:
        for path in list_entries(folder, folders=True):
            if stray := find_stray(folder, path):
                problems.append((path.name, stray))
            else:
                folders.append(path)
    except OSError as error:
        problems.append((folder.name, error.strerror or "it cannot be entered"))
        return []
    return folders


def has_image(folder: Path, problems: Problems) -> bool:
    """Whether an image lies directly in ``folder``."""
    try:
        folders = find_members(folder) or [folder]
        return any(next(scan_names(one, folders=False), None) is not None for one in folders)
    except OSError as error:
        problems.append((folder.name, error.strerror or "it cannot be entered"))
        return False


def enter_bands(folder: Path) -> Path:
    """The folders of polarisations in a folder that holds nothing else, as one; any other folder itself."""
    inner = [] if has_image(folder, []) else list_folders(folder, [])
    return inner[0] if len(inner) == 1 and is_stack(inner[0].name) else folder


def walk_folders(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """``root`` and the folders below it that hold images themselves, at most ``depth`` deep."""
    if has_image(root, []):
        yield root
    if depth:
        for folder in list_folders(root, []):
            yield from walk_folders(folder, depth - 1)
