"""What a data folder holds, by names, tables and headers: pairs, tiles, captioned images or patches of cubes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rsforge.data.captions.webdataset import refuse_tars
from rsforge.data.files.stack_paths import list_files
from rsforge.data.files.walk import is_image, is_left_behind, is_unread_image
from rsforge.data.io.dataset_card import read_card
from rsforge.data.names.sides import side_of_path
from rsforge.data.pairs.index import PairIndex, find_pairs
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.nested_layouts import find_unread_sides
from rsforge.data.splits.items import DatasetContents, item_of_pair
from rsforge.data.splits.single_items import (
    find_caption_tables,
    find_hdf5_files,
    image_items,
    match_captions,
    name_scenes,
    patch_items,
)
from rsforge.errors import RsforgeError

OTHER_KINDS = ("tiles", "captions", "patches")
_BY_WORDS = {"nested", "mixed"}
_PAIRED_FOLDER = re.compile(r"s[12](_\d+)?|r_\d+", re.IGNORECASE)


def find_contents(
    root: Path,
    *,
    layout: str = "auto",
    terrains: Sequence[str] = (),
    max_per_terrain: int | None = None,
    collect_problems: bool = False,
) -> DatasetContents:
    """The contents of the folder ``root``; no pixels are read. Layout ``auto`` follows its card, else its files.

    A folder of sets of pairs is taken as one set. Images of plain folders are scenes of their own, except patches:
    those cut by rsforge, and names like SCENE_r00000_c00256. Errors are those of ``find_pairs`` (with
    ``collect_problems`` bad tables are listed instead) and ``find_images``; RSF-D008 for an HDF5 file of patches that
    cannot be read, RSF-U005 for ``terrains`` of anything but one set of pairs.
    """
    refuse_tars(root)
    contents = _find_by_kind(root, layout, terrains, max_per_terrain, collect_problems)
    if terrains or max_per_terrain:
        return contents
    return replace(contents, unclaimed_files=_find_unclaimed(contents))


def _pairs_only_error(option: str, kind: str) -> RsforgeError:
    what = f"{option} is for one set of pairs"
    return RsforgeError("RSF-U005", what, where=option, found=kind, fix="leave the option out")


def _find_by_kind(
    root: Path, layout: str, terrains: Sequence[str], most: int | None, collect_problems: bool
) -> DatasetContents:
    kind = layout if layout in OTHER_KINDS else "pairs"
    if layout == "auto":
        kind = _detect_kind(root)
    if terrains and kind != "pairs":
        raise _pairs_only_error("--terrains", kind)
    if most and kind in OTHER_KINDS:
        raise _pairs_only_error("--max-per-terrain", kind)
    if kind == "patches":
        return DatasetContents(root, kind, patch_items(root))
    if kind == "tiles":
        return _find_tiles(root)
    if kind == "captions":
        return _find_captioned(root)
    if kind == "several":
        return _merge_sets(root, most, collect_problems)
    index = find_pairs(root, layout=layout, terrains=terrains, max_per_terrain=most, collect_problems=collect_problems)
    return _contents_of_pairs(index)


def _find_tiles(root: Path) -> DatasetContents:
    """Single images; folders whose names speak of SAR are named, because their images were not taken for pairs."""
    named, titles = name_scenes(image_items(root))
    items = [replace(item, side=side_of_path(item.name)) for item in named]
    return DatasetContents(root, "tiles", items, warnings=find_unread_sides(root), notes=_tell_scenes(titles))


def _tell_scenes(titles: Sequence[str]) -> list[str]:
    return [f"names tell the scenes of tiles: {title}" for title in titles]


def _find_captioned(root: Path) -> DatasetContents:
    named, titles = name_scenes(image_items(root))
    found = match_captions(root, named)
    notes = [*found.notes, *_tell_scenes(titles)]
    items = [replace(item, side=found.sides.get(item.name) or side_of_path(item.name)) for item in named]
    return DatasetContents(root, "captions", items, found.orphans, found.problems, notes=notes)


def _detect_kind(root: Path) -> str:
    """pairs, tiles, captions, patches, or several for a folder of sets of pairs; RSF-D001 or RSF-D009 for none."""
    stated = read_card(root).get("kind") if root.is_dir() else None
    if stated in OTHER_KINDS or stated == "pairs":
        return str(stated)
    if find_caption_tables(root):
        return "captions"
    if find_hdf5_files(root):
        return "patches"
    try:
        by_words = find_layout(root, "auto").name in _BY_WORDS
    except RsforgeError as error:
        if _find_sets(root):
            return "several"
        if not root.is_dir() or not error.fix.startswith("looked for") or _looks_paired(root):
            raise
        return "tiles"
    # Sets side by side have cards and tables of their own, which words in paths do not tell.
    return "several" if by_words and set(_find_sets(root).values()) - _BY_WORDS else "pairs"


def _looks_paired(root: Path) -> bool:
    folders = (path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.is_dir())
    return any(_PAIRED_FOLDER.fullmatch(path.name) for path in folders)


def _find_sets(root: Path) -> dict[Path, str]:
    """The folders in ``root`` that are sets of pairs themselves, with their layouts."""
    if not root.is_dir():
        return {}
    sets = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not is_left_behind(path.name)):
        with suppress(RsforgeError):
            sets[folder] = find_layout(folder, "auto").name
    return sets


def _merge_sets(root: Path, most: int | None, collect_problems: bool) -> DatasetContents:
    """Sets side by side as one, all names prefixed by the name of their set; other folders are mentioned in a note."""
    sets = _find_sets(root)
    merged = DatasetContents(root, "pairs", [], sets=list(sets))
    for folder in sets:
        index = find_pairs(folder, max_per_terrain=most, collect_problems=collect_problems)
        _add_set(merged, _contents_of_pairs(index))
    folders = [path for path in root.iterdir() if path.is_dir() and not is_left_behind(path.name)]
    others = sorted(path.name for path in folders if path not in sets)
    if others:
        merged.notes.append(f"no sets of pairs, and left out: {', '.join(others)}")
    return merged


def _add_set(merged: DatasetContents, part: DatasetContents) -> None:
    prefix = part.root.name
    for item in part.items:
        scene = f"{prefix}/{item.scene}" if item.scene else ""
        merged.items.append(replace(item, name=f"{prefix}/{item.name}", scene=scene))
    merged.orphans.extend((f"{prefix}/{file}", reason) for file, reason in part.orphans)
    merged.problems.extend((f"{prefix}/{file}", reason) for file, reason in part.problems)
    merged.warnings.extend((f"{prefix}/{file}", reason) for file, reason in part.warnings)
    merged.notes.extend(f"{prefix}: {note}" for note in part.notes)


def _contents_of_pairs(index: PairIndex) -> DatasetContents:
    return DatasetContents(
        root=index.root,
        kind="pairs",
        items=[item_of_pair(pair) for pair in index.pairs],
        orphans=sorted(index.orphans),
        problems=sorted(index.problems),
        warnings=index.warnings,
        notes=index.notes,
    )


def _find_unclaimed(contents: DatasetContents) -> list[str]:
    """Images, also of formats that are not read, that belong to no item; linked folders are not entered."""
    root = contents.root
    known = {path for item in contents.items for path in item.paths}
    known |= {root / name for name, _ in (*contents.orphans, *contents.problems)}
    known = {file for path in known for file in list_files(path)}
    unclaimed = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not is_left_behind(name)]
        for name in files:
            path = Path(folder, name)
            if (is_image(path) or is_unread_image(path)) and path not in known:
                unclaimed.append(path.relative_to(root).as_posix())
    return sorted(unclaimed)
