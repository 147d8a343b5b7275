"""What splits divide and audits judge: a pair, an image, or a patch in a file, with what is known of its place."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io import hdf5, rasters
from rsforge.data.io.dataset_card import read_card
from rsforge.data.io.georeference import Ground
from rsforge.data.io.image_reader import SUFFIXES, UnreadableError, find_images
from rsforge.data.io.safe_paths import inside
from rsforge.data.io.threads import in_threads
from rsforge.data.io.windows import Window
from rsforge.data.pairs.index import Pair, PairIndex, find_pairs
from rsforge.data.pairs.layouts import find_layout
from rsforge.errors import RsforgeError

Lonlat = tuple[float, float]
Noted = list[tuple[str, str]]

OTHER_KINDS = ("tiles", "captions", "patches")
METADATA = "metadata.jsonl"
_HDF5 = (".h5", ".hdf5", ".he5")
_IMAGE_LIKE = SUFFIXES | {".webp", ".gif", ".jp2", ".j2k", ".jfif", ".heic", ".avif", ".tga", ".ppm", ".pgm", ".img"}
_PATCH = re.compile(r"(?P<scene>.+)_r(?P<row>\d{5,9})_c(?P<col>\d{5,9})")
_SIDE = re.compile(r"s[12](_\d+)?", re.IGNORECASE)
_PAIRED_FOLDER = re.compile(r"s[12](_\d+)?|r_\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One unit; ``paths`` are its files (SAR first), ``row`` its place in an HDF5 file; "" and None are unknown.

    ``window`` is in pixels of the scene, ``ground`` in those of the earth, ``coordinates`` are (longitude, latitude)
    in degrees.
    """

    name: str
    paths: tuple[Path, ...]
    scene: str = ""
    window: Window | None = None
    region: str = ""
    coordinates: Lonlat | None = None
    terrain: str = ""
    season: str = ""
    country: str = ""
    row: int | None = None
    ground: Ground | None = None

    @property
    def places(self) -> dict[str, Window]:
        """The item's windows by the plane that they lie in: its scene, the ground."""
        windows = {self.scene: self.window} if self.scene and self.window else {}
        return windows | ({self.ground.plane: self.ground.window} if self.ground else {})


@dataclass(frozen=True)
class Holdings:
    """What a folder holds: ``kind`` (pairs, tiles, captions, patches), items, and what fits nowhere, with reasons;
    ``strays`` are images that belong to nothing."""

    root: Path
    kind: str
    items: list[Item]
    orphans: Noted = field(default_factory=list)
    problems: Noted = field(default_factory=list)
    doubts: Noted = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def sides(self) -> tuple[str, ...]:
        """What the files of an item are, in their order."""
        return {"pairs": ("sar", "optical"), "patches": ("patch",)}.get(self.kind, ("image",))


def items_of(
    root: Path,
    *,
    layout: str = "auto",
    terrains: Sequence[str] = (),
    max_per_terrain: int | None = None,
    judged: bool = False,
) -> Holdings:
    """What lies below ``root``, by names, tables and headers alone; ``layout`` auto asks its card, then looks.

    A folder of sets of pairs is taken as one set. Photographs in plain folders are taken for scenes of their own, but
    for patches: those of a cut set, and names like SCENE_r00000_c00256. Errors are those of ``find_pairs`` (tables are
    problems where they are ``judged``) and ``find_images``; RSF-D008 for an HDF5 file of patches that cannot be read,
    RSF-U005 for terrains of what is no set of pairs.
    """
    found = _found(root, layout, terrains, max_per_terrain, judged)
    chosen = terrains or max_per_terrain
    return found if chosen else replace(found, strays=_strays(found))


def _found(root: Path, layout: str, terrains: Sequence[str], most: int | None, judged: bool) -> Holdings:
    kind = _kind(root) if layout == "auto" else layout if layout in OTHER_KINDS else "pairs"
    if (terrains and kind != "pairs") or (most and kind in OTHER_KINDS):
        where = "--terrains" if terrains else "--max-per-terrain"
        fix = "leave the option out"
        raise RsforgeError("RSF-U005", f"{where} is for one set of pairs", where=where, found=kind, fix=fix)
    if kind == "patches":
        return Holdings(root, kind, [item for path in _patch_files(root) for item in _rows(root, path)])
    if kind in OTHER_KINDS:
        items = _images(root)
        orphans, problems = _unmatched(root, items) if kind == "captions" else ([], [])
        return Holdings(root, kind, items, orphans, problems)
    if kind == "several":
        return _several(root, most, judged)
    return _paired(find_pairs(root, layout=layout, terrains=terrains, max_per_terrain=most, judged=judged))


def _kind(root: Path) -> str:
    said = read_card(root).get("kind") if root.is_dir() else None
    if said in OTHER_KINDS or said == "pairs":
        return str(said)
    if (root / METADATA).is_file():
        return "captions"
    if _hdf5_files(root):
        return "patches"
    try:
        find_layout(root, "auto")
    except RsforgeError as error:
        if _sets(root):
            return "several"
        if not root.is_dir() or not error.fix.startswith("looked for") or _looks_paired(root):
            raise
        return "tiles"
    return "pairs"


def _looks_paired(root: Path) -> bool:
    folders = (path for pattern in ("*", "*/*") for path in root.glob(pattern) if path.is_dir())
    return any(_PAIRED_FOLDER.fullmatch(path.name) for path in folders)


def _sets(root: Path) -> list[Path]:
    """The folders in ``root`` that are sets of pairs themselves."""
    found = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []:
        with suppress(RsforgeError):
            find_layout(folder, "auto")
            found.append(folder)
    return found


def _several(root: Path, most: int | None, judged: bool) -> Holdings:
    """Sets side by side as one, everything named by its set first; what is no set is told."""
    whole, sets = Holdings(root, "pairs", []), _sets(root)
    for part in (_paired(find_pairs(path, max_per_terrain=most, judged=judged)) for path in sets):
        name = part.root.name
        whole.items.extend(
            replace(item, name=f"{name}/{item.name}", scene=item.scene and f"{name}/{item.scene}")
            for item in part.items
        )
        whole.orphans.extend((f"{name}/{file}", reason) for file, reason in part.orphans)
        whole.problems.extend((f"{name}/{file}", reason) for file, reason in part.problems)
        whole.doubts.extend((f"{name}/{file}", reason) for file, reason in part.doubts)
        whole.notes.extend(f"{name}: {note}" for note in part.notes)
    others = sorted(path.name for path in root.iterdir() if path.is_dir() and path not in sets)
    if others:
        whole.notes.append(f"no sets of pairs, and left aside: {', '.join(others)}")
    return whole


def _paired(index: PairIndex) -> Holdings:
    items = [item_of(pair) for pair in index.pairs]
    problems = sorted(index.problems)
    return Holdings(index.root, "pairs", items, sorted(index.orphans), problems, index.doubts, notes=index.notes)


def item_of(p: Pair) -> Item:
    """A pair as one unit of two files."""
    told = (p.scene, p.window, p.region, p.coordinates, p.terrain, p.season, p.country)
    return Item(p.name, (p.sar, p.optical), *told, ground=p.ground)


def _images(root: Path) -> list[Item]:
    """Images each for itself; those of a cut set keep the places that its tables tell."""
    pairs = _cut_around(root)
    paths = find_images(root)
    items = list(in_threads(lambda path: _image(root, path), paths))
    return [
        replace(item_of(pair), name=item.name, paths=item.paths) if pair is not None and pair.scene else item
        for item, path in zip(items, paths, strict=True)
        for pair in [pairs.get(path.resolve())]
    ]


def _cut_around(root: Path) -> dict[Path, Pair]:
    """By their images, the pairs of the set that ``root`` is, or is a folder of."""
    home = root.resolve()
    for folder in (home, *home.parents[:2]):
        card = dict[str, Any]()
        with suppress(RsforgeError):  # a file of that name above the folder may be anybody's
            card = read_card(folder)
        if card.get("kind") == "pairs":
            return {path: pair for pair in find_pairs(folder).pairs for path in (pair.sar, pair.optical)}
    return {}


def _image(root: Path, path: Path) -> Item:
    name = path.relative_to(root).as_posix()
    item = Item(name, (path,), scene=name, terrain=name.split("/")[0] if "/" in name else "")
    patch = _PATCH.fullmatch(path.stem)
    if patch is None and path.suffix.lower() not in (".tif", ".tiff"):
        return item
    try:
        info = rasters.inspect(path)
    except UnreadableError:  # who opens the image says so
        return item
    if patch is not None:
        place = name.split("/")[:-1]
        # Both images of a pair show one scene.
        place = place[:-1] if place and _SIDE.fullmatch(place[-1]) else place
        window = Window(int(patch["row"]), int(patch["col"]), info.height, info.width)
        item = replace(item, scene="/".join([*place, patch["scene"]]), window=window)
    return replace(item, ground=info.ground)


def _strays(found: Holdings) -> list[str]:
    """Images, also of formats that are not read, that belong to nothing found; linked folders are not entered."""
    root = found.root
    known = {path for item in found.items for path in item.paths}
    known |= {root / name for name, _ in (*found.orphans, *found.problems)}
    strays = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(folder, name) for name in files if not name.startswith((".", durable.TEMPORARY))):
            if path.suffix.lower() in _IMAGE_LIKE and path not in known:
                strays.append(path.relative_to(root).as_posix())
    return sorted(strays)


def _patch_files(root: Path) -> list[Path]:
    files = _hdf5_files(root)
    if not files:
        raise RsforgeError("RSF-D001", f"no HDF5 files of patches in {root}", where=str(root), fix="try --layout auto")
    return files


def _hdf5_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix.lower() in _HDF5) if root.is_dir() else []


def _rows(root: Path, path: Path) -> Iterator[Item]:
    """The patches of one file, with scene and window where it names them."""
    try:
        with hdf5.opened(path) as file:
            count = hdf5.check(hdf5.find(file, "aviris")).shape[0]
            scenes = [str(s) for s in file["scene"].asstr()[:]] if "scene" in file else [""] * count
            places = hdf5.small(hdf5.find(file, "window"), 1 << 24).tolist() if "window" in file else [None] * count
        if not len(scenes) == len(places) == count:
            raise UnreadableError(f"it has {count} patches, {len(scenes)} scenes and {len(places)} windows")
    except UnreadableError as reason:
        raise RsforgeError("RSF-D008", f"{path.name} cannot be used: {reason}", where=str(path)) from None
    name = path.relative_to(root).as_posix()
    for row, (scene, place) in enumerate(zip(scenes, places, strict=True)):
        yield Item(f"{name}#{row}", (path,), scene, Window(*place) if place else None, row=row)


def _unmatched(root: Path, items: list[Item]) -> tuple[Noted, Noted]:
    """Images without a caption and captions without an image; lines of the table that cannot be used."""
    named, problems = set[str](), Noted()
    there = {item.paths[0].name for item in items} | {item.name for item in items}
    orphans: Noted = []
    with (root / METADATA).open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, 1):
            try:
                name = json.loads(line)["file_name"]
                inside(root, name, where=f"{METADATA}:{number}")
            except RsforgeError as error:
                problems.append((f"{METADATA}:{number}", error.what))
                continue
            except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
                problems.append((f"{METADATA}:{number}", "it is no JSON object with a file_name"))
                continue
            named.add(name)
            if name not in there:
                orphans.append((name, f"{METADATA}:{number} names it, but it is not there"))
    orphans += [(i.name, f"no line of {METADATA} names it") for i in items if not {i.name, i.paths[0].name} & named]
    return sorted(set(orphans)), problems
