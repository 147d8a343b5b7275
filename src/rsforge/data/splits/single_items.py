"""Items of one file: images in folders, with captions or without, and patches in HDF5 files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from rsforge.data.captions.metadata import describe_table, find_inner_tables, find_tables, read_names
from rsforge.data.cubes import hdf5_file
from rsforge.data.files.safe_paths import resolve_inside
from rsforge.data.files.stack_paths import name_whole
from rsforge.data.files.walk import find_images, lies_in_left_behind
from rsforge.data.io import rasters
from rsforge.data.io.dataset_card import read_card
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import map_in_threads
from rsforge.data.io.windows import Window
from rsforge.data.names.scene_names import NamedPlace, find_places, find_window
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.pair import Pair
from rsforge.data.splits.items import Findings, Item, item_of_pair
from rsforge.data.tables.characters import compose
from rsforge.errors import RsforgeError

HDF5 = (".h5", ".hdf5", ".he5")
_PATCH = re.compile(r"(?P<scene>.+)_r(?P<row>\d{5,9})_c(?P<col>\d{5,9})")
_MODALITY_FOLDER = re.compile(r"s[12](_\d+)?", re.IGNORECASE)


def image_items(root: Path) -> list[Item]:
    """The images below ``root``, each an item; those of a cut set get scene and window from the tables of the set."""
    pairs = _find_cut_pairs(root)
    paths = find_images(root)
    items = []
    for path, item in zip(paths, map_in_threads(lambda path: _image_item(root, path), paths), strict=True):
        pair = pairs.get(path.resolve())
        if pair is not None and pair.scene:
            item = replace(item_of_pair(pair), name=item.name, paths=item.paths)
        items.append(item)
    return items


def name_scenes(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    """``items`` of unknown scenes with those that their names tell, and what the names look like.

    Unknown is also a scene that is the name of the image itself. Where numbers count pixels, headers are read for the
    windows.
    """
    unknown = [item for item in items if item.scene in ("", item.name) and item.window is None]
    places, titles = find_places([item.name for item in unknown])
    placed = {item.name: item for item in map_in_threads(partial(_place_item, places=places), unknown)}
    return [placed.get(item.name, item) for item in items], titles


def _place_item(item: Item, places: Mapping[str, NamedPlace]) -> Item:
    place = places.get(item.name)
    if place is None:
        return item
    return replace(item, scene=place.scene, window=find_window(place, item.paths[0]))


def _find_cut_pairs(root: Path) -> dict[Path, Pair]:
    """The pairs of the cut set that ``root`` is, or is a folder of, by both their images."""
    resolved = root.resolve()
    for folder in (resolved, *resolved.parents[:2]):
        card: dict[str, Any] = {}
        with suppress(RsforgeError):  # a dataset.json above the folder may belong to other data
            card = read_card(folder)
        if card.get("kind") == "pairs":
            return {path: pair for pair in find_pairs(folder).pairs for path in (pair.sar, pair.optical)}
    return {}


def _image_item(root: Path, path: Path) -> Item:
    name = path.relative_to(root).as_posix()
    item = Item(name, (path,), scene=name, terrain=name.split("/")[0] if "/" in name else "")
    patch = _PATCH.fullmatch(Path(name_whole(name)).stem)
    if patch is None and path.suffix.lower() not in (".tif", ".tiff"):
        return item
    try:
        info = rasters.read_info(path)
    except UnreadableError:  # reported by whoever opens the image
        return item
    if patch is not None:
        folders = name.split("/")[:-1]
        # Both images of a pair show one scene, whose name must not hold the folder of the modality.
        if folders and _MODALITY_FOLDER.fullmatch(folders[-1]):
            folders = folders[:-1]
        window = Window(int(patch["row"]), int(patch["col"]), info.height, info.width)
        item = replace(item, scene="/".join([*folders, patch["scene"]]), window=window)
    return replace(item, footprint=info.footprint)


@dataclass
class CaptionMatch:
    """What the tables of captions say of images: ``named`` ones, their ``sides``, and what is wrong."""

    named: set[str] = field(default_factory=set)
    sides: dict[str, str] = field(default_factory=dict)
    orphans: Findings = field(default_factory=list)
    problems: Findings = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_hdf5_files(root: Path) -> list[Path]:
    """The HDF5 files below ``root``, sorted; none when it is no folder."""
    if not root.is_dir():
        return []
    every = (path for path in root.rglob("*") if not lies_in_left_behind(root, path))
    return sorted(path for path in every if path.suffix.lower() in HDF5)


def patch_items(root: Path) -> list[Item]:
    """The patches in all HDF5 files below ``root``; RSF-D001 when there is no file, RSF-D008 for a damaged one."""
    files = find_hdf5_files(root)
    if not files:
        raise RsforgeError("RSF-D001", f"no HDF5 files of patches in {root}", where=str(root), fix="try --layout auto")
    return [item for path in files for item in _read_patch_items(root, path)]


def _read_patch_items(root: Path, path: Path) -> Iterator[Item]:
    name = path.relative_to(root).as_posix()
    for row, (scene, window) in enumerate(zip(*read_places(path), strict=True)):
        yield Item(f"{name}#{row}", (path,), scene, window, row=row)


def read_places(path: Path) -> tuple[list[str], list[Window | None]]:
    """The scene and the window of each patch of a file, "" and None where it does not list them; RSF-D008."""
    try:
        with hdf5_file.open_file(path) as file:
            name = "aviris" if "aviris" in file or "landsat" not in file else "landsat"  # places without spectra
            count = hdf5_file.check_dataset(hdf5_file.find_dataset(file, name)).shape[0]
            scenes = [""] * count
            windows: list[Any] = [None] * count
            if "scene" in file:
                scenes = [str(scene) for scene in file["scene"].asstr()[:]]
            if "window" in file:
                windows = hdf5_file.read_small(hdf5_file.find_dataset(file, "window"), 1 << 24).tolist()
        if len(scenes) != count or len(windows) != count:
            raise UnreadableError(f"it has {count} patches, {len(scenes)} scenes and {len(windows)} windows")
    except UnreadableError as reason:
        raise hdf5_file.unreadable_patches(path, reason) from None
    return scenes, [Window(*window) if window else None for window in windows]


def find_caption_tables(root: Path) -> list[Path]:
    """The table of captions of ``root``, or those of the folders in it."""
    return find_tables(root) or find_inner_tables(root)


def match_captions(root: Path, items: list[Item]) -> CaptionMatch:
    """Orphans (images without a caption, captions without an image), rows that cannot be used, and stated sides."""
    by_name = {compose(item.paths[0].name): item for item in items} | {compose(item.name): item for item in items}
    found = CaptionMatch()
    for table in find_caption_tables(root):
        found.notes += [sentence] if (sentence := describe_table(table)) else []
        _match_table(root, table, by_name, found)
    known = {item.name for item in items if item.name in found.named or item.paths[0].name in found.named}
    tables = " or ".join(sorted({table.name for table in find_caption_tables(root)}))
    found.orphans += [(item.name, f"no line of {tables} names it") for item in items if item.name not in known]
    found.orphans = sorted(set(found.orphans))
    return found


def _match_table(root: Path, table: Path, by_name: Mapping[str, Item], found: CaptionMatch) -> None:
    folder = table.parent.relative_to(root).as_posix()
    prefix = "" if folder == "." else f"{folder}/"
    for row in read_names(table):
        where = f"{prefix}{table.name}:{row.number}"
        if not row.name:
            found.problems.append((where, row.reason))
            continue
        try:
            resolve_inside(table.parent, row.name, where=where)
        except RsforgeError as error:
            found.problems.append((where, error.what))
            continue
        name = compose(posixpath.normpath(prefix + row.name.replace("\\", "/")))
        own = by_name.get(name) or by_name.get(name.removeprefix(prefix))
        if own is None:
            found.orphans.append((row.name, f"{where} names it, but it is not there{_hint(name, by_name)}"))
            continue
        found.named |= {own.name}
        if row.side:
            found.sides[own.name] = row.side


def _hint(name: str, by_name: Mapping[str, Item]) -> str:
    """Which image has nearly the same name: another case, or another suffix."""
    for other in by_name:
        if other.lower() == name.lower():
            return f": {other} differs in capital letters alone"
    stem = PurePosixPath(name).stem
    near = next((other for other in by_name if PurePosixPath(other).stem == stem), None)
    return f": {near} has another suffix" if near else ""
