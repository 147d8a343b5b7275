"""The layouts that folders of SAR and optical images come in, and which one a folder has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import inspect
from rsforge.data.pairs.names import listing
from rsforge.data.pairs.scene_pairs import holds_scene
from rsforge.errors import RsforgeError

_SAR = re.compile(r"(s1|sar|sentinel-?1).*", re.IGNORECASE)
_OPTICAL = re.compile(r"(s2|op|opt|optical|rgb|eo|sentinel-?2)([^a-z].*|rgb.*|l[12].*|)", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """A SAR folder and the optical one beside it; ``name`` is the folder that holds them, below the root."""

    name: str
    sar: Path
    optical: Path


@dataclass
class Layout:
    """What a folder is: ``groups`` to pair, ``notes`` to say, ``problems`` of (folder, reason)."""

    name: str
    groups: list[Group]
    notes: list[str]
    problems: list[tuple[str, str]]


def find_layout(root: Path, wanted: str) -> Layout:
    """The layout ``wanted``, or with ``auto`` the first that ``root`` has of regions, terrain, names, bigearthnet.

    RSF-D001 when there is no such folder or nothing in it, RSF-D009 when it holds none of these layouts.
    """
    if not root.is_dir():
        reason = "it is a file, not a folder" if root.exists() else "the folder does not exist"
        raise RsforgeError("RSF-D001", f"no pairs found in {root}: {reason}", where=str(root))
    problems: list[tuple[str, str]] = []
    finders = {name: finder for name, finder in _FINDERS.items() if wanted in ("auto", name)}
    if not finders:
        found = f"--layout {wanted}"
        raise RsforgeError("RSF-U005", "this layout has no pairs", where="--layout", found=found, fix="use auto")
    for name, finder in finders.items():
        notes: list[str] = []
        if groups := finder(root, notes, problems):
            if wanted == "auto":
                notes.insert(0, f"the folder is laid out as {name}: {_LOOKS[name]}")
            return Layout(name, groups, notes, problems)
    raise _nothing(root, list(finders), problems)


def _nothing(root: Path, looked: list[str], problems: list[tuple[str, str]]) -> RsforgeError:
    there = [path.name for path in _folders(root, [])] or ["no folders"]
    found = ", ".join(there[:6]) + (", ..." if len(there) > 6 else "")
    if problems:
        found += f"; {problems[0][0]}: {problems[0][1]}"
    code = "RSF-D001" if there == ["no folders"] else "RSF-D009"
    if any(holds_scene(path) for path in [root, *_folders(root, [])]):
        fix = "these are whole scenes: cut them by `rsforge data tile --sar DIR --optical DIR --output-dir OUT`"
        return RsforgeError(code, f"no folders of SAR and optical patches in {root}", where=str(root), fix=fix)
    fix = "looked for " + "; ".join(f"{name}: {_LOOKS[name]}" for name in looked)
    return RsforgeError(code, f"no SAR and optical folders found in {root}", where=str(root), found=found, fix=fix)


def _folders(folder: Path, problems: list[tuple[str, str]]) -> list[Path]:
    kept, home = [], folder.resolve()
    try:
        for path in listing(folder, folders=True):
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                problems.append((path.name, "it is a link that leaves the data folder"))
            else:
                kept.append(path)
        return kept
    except OSError as error:
        problems.append((folder.name, error.strerror or "it cannot be entered"))
        return []


def _sides(folder: Path, sar: str, optical: str, problems: list[tuple[str, str]]) -> tuple[Path, Path] | None:
    inner = {path.name.lower(): path for path in _folders(folder, problems)}
    sides = inner.get(sar), inner.get(optical)
    if sides[0] and sides[1]:
        return sides[0], sides[1]
    for path, missing in ((sides[0], optical), (sides[1], sar)):
        if path is not None:
            problems.append((f"{folder.name}/{path.name}", f"there is no {missing} beside it"))
    return None


def _regions(root: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Group]:
    groups = []
    for folder in _folders(root, problems):
        if match := re.fullmatch(r"r_(\d+)", folder.name):
            sides = _sides(folder, f"s1_{match[1]}", f"s2_{match[1]}", problems)
            groups += [Group(folder.name, *sides)] if sides else []
    return groups


def _terrain(root: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Group]:
    if (sides := _sides(root, "s1", "s2", [])) and all(_any_image(side, problems) for side in sides):
        return [Group("", *sides)]
    groups = []
    for folder in _folders(root, problems):
        sides = _sides(folder, "s1", "s2", problems)
        groups += [Group(folder.name, *sides)] if sides else []
    return groups


def _names(root: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Group]:
    filled = [folder for folder in _folders(root, problems) if _any_image(folder, problems)]
    sar = [folder for folder in filled if _SAR.fullmatch(folder.name)]
    optical = [folder for folder in filled if _OPTICAL.fullmatch(folder.name)]
    if not sar or not optical:
        return []
    if len(sar) > 1:
        found = ", ".join(folder.name for folder in sar)
        fix = "keep one SAR folder beside the optical one"
        raise RsforgeError("RSF-D009", "several folders hold SAR images", where=str(root), found=found, fix=fix)
    coloured = [folder for folder in optical if _bands(folder) == 3]
    if len(optical) > 1 and len(coloured) != 1:
        found = ", ".join(folder.name for folder in optical)
        fix = "keep one optical folder of three bands"
        raise RsforgeError("RSF-D009", "several folders hold optical images", where=str(root), found=found, fix=fix)
    chosen = coloured[0] if len(optical) > 1 else optical[0]
    if len(optical) > 1:
        rest = ", ".join(folder.name for folder in optical if folder != chosen)
        notes.append(f"optical images are those of {chosen.name}, which have three bands; {rest} is left aside")
    return [Group("", sar[0], chosen)]


def _any_image(folder: Path, problems: list[tuple[str, str]]) -> bool:
    try:
        return bool(listing(folder, folders=False))
    except OSError as error:
        problems.append((folder.name, error.strerror or "it cannot be entered"))
        return False


def _bands(folder: Path) -> int:
    try:
        info: RasterInfo = inspect(listing(folder, folders=False)[0])
    except UnreadableError:
        return 0
    return info.bands


def _bigearthnet(root: Path, notes: list[str], problems: list[tuple[str, str]]) -> list[Group]:
    for folder in [root, *_folders(root, problems)]:
        for patch in _folders(folder, [])[:3]:
            if (patch / f"{patch.name}_labels_metadata.json").is_file():
                raise RsforgeError(
                    "RSF-D009",
                    "the folder is laid out as BigEarthNet, one file a band, which is not read",
                    where=str(patch),
                    fix="stack VV, and B04, B03, B02, into one GeoTIFF a patch, in folders s1 and s2",
                )
    return []


_Finder = Callable[[Path, list[str], list[tuple[str, str]]], list[Group]]
_FINDERS: dict[str, _Finder] = {
    "regions": _regions,
    "terrain": _terrain,
    "names": _names,
    "bigearthnet": _bigearthnet,
}
_LOOKS = {
    "regions": "r_XXX/s1_XXX and r_XXX/s2_XXX",
    "terrain": "TERRAIN/s1 and TERRAIN/s2",
    "names": "a SAR folder (s1, sar) beside an optical one (s2, optical, rgb)",
    "bigearthnet": "PATCH/PATCH_labels_metadata.json",
}
