"""Items of one file: images in folders, with captions or without, and patches in HDF5 files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rsforge.data.cubes import hdf5_file
from rsforge.data.files.walk import find_images, lies_in_left_behind
from rsforge.data.io import rasters
from rsforge.data.io.dataset_card import read_card
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.safe_paths import resolve_inside
from rsforge.data.io.threads import map_in_threads
from rsforge.data.io.windows import Window
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.pair import Pair
from rsforge.data.splits.items import Findings, Item, item_of_pair
from rsforge.errors import RsforgeError

METADATA = "metadata.jsonl"
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
    patch = _PATCH.fullmatch(path.stem)
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
        raise RsforgeError("RSF-D008", f"{path.name} cannot be used: {reason}", where=str(path)) from None
    return scenes, [Window(*window) if window else None for window in windows]


def match_captions(root: Path, items: list[Item]) -> tuple[Findings, Findings]:
    """Orphans (images without a caption, captions without an image) and lines of the table that cannot be used."""
    present = {item.paths[0].name for item in items} | {item.name for item in items}
    named: set[str] = set()
    orphans: Findings = []
    problems: Findings = []
    with (root / METADATA).open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            where = f"{METADATA}:{number}"
            try:
                name = json.loads(line)["file_name"]
                resolve_inside(root, name, where=where)
            except RsforgeError as error:
                problems.append((where, error.what))
                continue
            except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
                problems.append((where, "it is no JSON object with a file_name"))
                continue
            named.add(name)
            if name not in present:
                orphans.append((name, f"{where} names it, but it is not there"))
    for item in items:
        if item.name not in named and item.paths[0].name not in named:
            orphans.append((item.name, f"no line of {METADATA} names it"))
    return sorted(set(orphans)), problems
