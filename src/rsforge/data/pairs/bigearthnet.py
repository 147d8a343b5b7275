"""BigEarthNet: one folder a patch with one file a band, and the partners of patches in files of metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rsforge.data.pairs.folders import FolderPair, Problems, list_folders
from rsforge.data.pairs.names import Match, list_entries, natural_key

TABLE = "metadata.parquet"
"""The partners of all patches in version 2; version 1 has a JSON file in each folder of a patch."""
_PATCH = re.compile(r"S(?P<modality>[12])[A-D]_\w+_\d{1,3}_\d{1,3}")
_SCENE = re.compile(r"(S2[A-D]_MSIL\d[AC]_\w+?)_\d{1,3}_\d{1,3}")
_DEPTH = 3  # BigEarthNet-S2/TILE/PATCH
_MOST_BYTES = 1 << 20
_FACTS = ("split", "country")


def find_bigearthnet(root: Path, problems: Problems) -> list[FolderPair]:
    """The patches of Sentinel-1 below ``root`` with their partners of Sentinel-2, as a list of one pair of folders.

    None without patches of both, or where all lie in one folder of ``root``: that is the set then, beside others.
    Patches whose partner is not known or not there are problems.
    """
    patches: dict[str, dict[str, Path]] = {"1": {}, "2": {}}
    for modality, folder in _walk_patches(root, _DEPTH):
        patches[modality][folder.name] = folder
    sar, optical = patches["1"], patches["2"]
    first = {folder.relative_to(root).parts[0] for own in (sar, optical) for folder in own.values()}
    if not sar or not optical or len(first) == 1:
        return []
    table = _read_table(root, problems)
    partners = []
    for name, folder in sar.items():
        partner = table[name]["patch_id"] if name in table else _read_partner(folder)
        if partner in optical:
            partners.append((folder, optical[partner]))
        else:
            reason = f"its partner {partner} is not there" if partner else "no metadata name its partner"
            problems.append((folder.relative_to(root).as_posix(), reason))
    partners.sort(key=lambda pair: natural_key(pair[1].name))
    if not partners:
        return []
    rows = (table.get(folder.name, {}) for folder, _ in partners)
    facts = {row["patch_id"]: {key: row[key] for key in _FACTS if key in row} for row in rows if row}
    return [FolderPair("", partners[0][0].parent, partners[0][1].parent, tuple(partners), facts)]


def match_partners(root: Path, group: FolderPair) -> Match:
    """The images of folders of one image each that are partners, named by the folder of the optical one."""
    result = Match()
    for pair in group.partners:
        images = [list_entries(folder, folders=False) for folder in pair]
        if all(len(own) == 1 for own in images):
            result.pairs.append((pair[1].name, images[0][0], images[1][0]))
        result.orphans += [
            (folder, f"it holds {len(own)} images, not the bands of one")
            for folder, own in zip(pair, images, strict=True)
            if len(own) != 1
        ]
    return result


def name_scene(name: str) -> str:
    """The product that a patch of Sentinel-2 was cut from, by its name; empty for other names."""
    found = _SCENE.fullmatch(name)
    return found[1] if found else ""


def _walk_patches(folder: Path, depth: int) -> Iterator[tuple[str, Path]]:
    """Modality and folder of the patches below ``folder``."""
    for inner in list_folders(folder, []):
        if found := _PATCH.fullmatch(inner.name):
            yield found["modality"], inner
        elif depth > 1:
            yield from _walk_patches(inner, depth - 1)


def _read_table(root: Path, problems: Problems) -> Mapping[str, Mapping[str, str]]:
    """What the table says of each patch of Sentinel-1, with that of Sentinel-2; nothing without a table."""
    path = root / TABLE
    if not path.is_file():
        return {}
    try:
        known = pq.read_schema(path).names
        columns = ["s1_name", "patch_id", *(name for name in _FACTS if name in known)]
        rows = pq.read_table(path, columns=columns).to_pylist()
    except (OSError, ValueError, pa.ArrowException) as error:
        problems.append((TABLE, f"it cannot be read ({str(error).splitlines()[0][:120]})"))
        return {}
    named = (row for row in rows if row["s1_name"] and row["patch_id"])
    return {str(row["s1_name"]): {key: str(cell) for key, cell in row.items() if cell} for row in named}


def _read_partner(folder: Path) -> str:
    """The patch of Sentinel-2 that the metadata of one of Sentinel-1 name; empty where they name none."""
    path = folder / f"{folder.name}_labels_metadata.json"
    try:
        if path.stat().st_size > _MOST_BYTES:
            return ""
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return ""
    partner = record.get("corresponding_s2_patch") if isinstance(record, dict) else None
    return partner if isinstance(partner, str) else ""
