"""The layouts of folders of SAR and optical images, and how they are recognised."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import read_info
from rsforge.data.names.modality_words import OPTICAL, SAR, modality_of_folder
from rsforge.data.pairs.bigearthnet import find_bigearthnet
from rsforge.data.pairs.folders import ONE_SAR, FolderPair, Problems, enter_bands, has_image, list_folders
from rsforge.data.pairs.names import list_entries
from rsforge.data.pairs.nested_layouts import find_mixed, find_nested
from rsforge.data.pairs.scene_pairs import holds_scene
from rsforge.errors import RsforgeError
from rsforge.wording import join_start

_SAR = re.compile(r"(s1|sar|sentinel-?1).*", re.IGNORECASE)
_OPTICAL = re.compile(r"(s2|op|opt|optical|rgb|eo|sentinel-?2)([^a-z].*|rgb.*|l[12].*|)", re.IGNORECASE)


@dataclass
class PairLayout:
    """The layout of a folder: its ``name``, the ``groups`` to pair, ``notes`` for the user and ``problems``."""

    name: str
    groups: list[FolderPair]
    notes: list[str]
    problems: Problems


def find_layout(root: Path, requested: str) -> PairLayout:
    """The layout ``requested``, or for ``auto`` the first that fits ``root`` of regions, terrain, names, bigearthnet.

    RSF-D001 when there is no such folder or it is empty, RSF-D009 when no layout fits.
    """
    if not root.is_dir():
        reason = "it is a file, not a folder" if root.exists() else "the folder does not exist"
        raise RsforgeError("RSF-D001", f"no pairs found in {root}: {reason}", where=str(root))
    problems: Problems = []
    finders = {name: finder for name, finder in _FINDERS.items() if requested in ("auto", name)}
    if not finders:
        found = f"--layout {requested}"
        raise RsforgeError("RSF-U005", "this layout has no pairs", where="--layout", found=found, fix="use auto")
    for name, finder in finders.items():
        notes: list[str] = []
        groups = finder(root, notes, problems)
        if groups:
            if requested == "auto":
                notes.insert(0, f"the folder has the layout {name}: {_PATTERNS[name]}")
            return PairLayout(name, groups, notes, problems)
    raise _no_layout_error(root, list(finders), problems)


def holds_pair_folders(root: Path) -> bool:
    """Whether ``root`` has SAR images beside optical ones, in folders or by words in names."""
    with suppress(RsforgeError):  # several folders of SAR images are for commands that pair
        return root.is_dir() and any(_FINDERS[name](root, [], []) for name in _TOLD_BY_FOLDERS)
    return True


def _no_layout_error(root: Path, tried: list[str], problems: Problems) -> RsforgeError:
    folders = list_folders(root, [])
    names = [path.name for path in folders] or ["no folders"]
    code = "RSF-D009" if folders else "RSF-D001"
    if any(holds_scene(path) for path in [root, *folders]):
        fix = "these are whole scenes: cut them by `rsforge data tile --sar DIR --optical DIR --output-dir OUT`"
        return RsforgeError(code, f"no folders of SAR and optical patches in {root}", where=str(root), fix=fix)
    if sets := [path for path in folders if _is_set(path)]:
        fix = f"these are sets of pairs themselves: give one of them, such as {sets[0]}"
        found = join_start([path.name for path in sets], 6)
        return RsforgeError(code, f"no SAR and optical folders found in {root}", where=str(root), found=found, fix=fix)
    found = join_start(names, 6)
    if problems:
        found += f"; {problems[0][0]}: {problems[0][1]}"
    fix = "looked for " + "; ".join(f"{name}: {_PATTERNS[name]}" for name in tried)
    return RsforgeError(code, f"no SAR and optical folders found in {root}", where=str(root), found=found, fix=fix)


def _is_set(folder: Path) -> bool:
    """Whether a folder has a layout of its own."""
    with suppress(RsforgeError):  # one with several folders of a side is for whoever is given it
        return any(finder(folder, [], []) for finder in _FINDERS.values())
    return False


def _find_folder_pair(folder: Path, sar: str, optical: str, problems: Problems, name: str) -> list[FolderPair]:
    """The folders ``sar`` and ``optical`` in ``folder``, as a list of one or none; a single one is a problem."""
    inner = {path.name.lower(): path for path in list_folders(folder, problems)}
    sar_folder, optical_folder = inner.get(sar), inner.get(optical)
    if sar_folder and optical_folder:
        return [FolderPair(name, enter_bands(sar_folder), enter_bands(optical_folder))]
    for path, missing in ((sar_folder, optical), (optical_folder, sar)):
        if path is not None:
            problems.append((f"{folder.name}/{path.name}", f"there is no {missing} beside it"))
    return []


def _find_regions(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    groups = []
    for folder in list_folders(root, problems):
        match = re.fullmatch(r"r_(\d+)", folder.name)
        if match:
            groups += _find_folder_pair(folder, f"s1_{match[1]}", f"s2_{match[1]}", problems, folder.name)
    return groups


def _find_terrains(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    for group in _find_folder_pair(root, "s1", "s2", [], ""):
        if has_image(group.sar, problems) and has_image(group.optical, problems):
            return [group]
    groups = []
    for folder in list_folders(root, problems):
        groups += _find_folder_pair(folder, "s1", "s2", problems, folder.name)
    return groups


def _find_by_names(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    filled = [folder for folder in list_folders(root, problems) if has_image(folder, problems)]
    sar = [folder for folder in filled if _SAR.fullmatch(folder.name) or modality_of_folder(folder.name) == SAR]
    optical = [folder for folder in filled if _is_optical(folder.name)]
    if not sar or not optical:
        return []
    if len(sar) > 1:
        found = ", ".join(folder.name for folder in sar)
        raise RsforgeError("RSF-D009", "several folders hold SAR images", where=str(root), found=found, fix=ONE_SAR)
    if len(optical) > 1:
        optical = [_choose_optical(root, optical, notes)]
    return [FolderPair("", sar[0], optical[0])]


def _is_optical(name: str) -> bool:
    return bool(_OPTICAL.fullmatch(name)) or modality_of_folder(name) == OPTICAL


def _choose_optical(root: Path, folders: list[Path], notes: list[str]) -> Path:
    """The one folder with images of three bands; RSF-D009 when it is not the only one."""
    coloured = [folder for folder in folders if _count_bands(folder) == 3]
    if len(coloured) != 1:
        found = ", ".join(folder.name for folder in folders)
        fix = "keep one optical folder of three bands"
        raise RsforgeError("RSF-D009", "several folders hold optical images", where=str(root), found=found, fix=fix)
    rest = ", ".join(folder.name for folder in folders if folder != coloured[0])
    notes.append(f"optical images are those of {coloured[0].name}, which have three bands; {rest} is left out")
    return coloured[0]


def _count_bands(folder: Path) -> int:
    """The number of bands of the first image; 0 when it cannot be read."""
    try:
        info: RasterInfo = read_info(list_entries(folder, folders=False)[0])
    except UnreadableError:
        return 0
    return info.bands


def _find_bigearthnet(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    return find_bigearthnet(root, problems)


def _find_nested(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    return find_nested(root, notes, _choose_optical)


def _find_mixed(root: Path, notes: list[str], problems: Problems) -> list[FolderPair]:
    return find_mixed(root)


_TOLD_BY_FOLDERS = ("regions", "terrain", "bigearthnet", "nested", "mixed")
_Finder = Callable[[Path, list[str], Problems], list[FolderPair]]
_FINDERS: dict[str, _Finder] = {
    "regions": _find_regions,
    "terrain": _find_terrains,
    "names": _find_by_names,
    "bigearthnet": _find_bigearthnet,
    "nested": _find_nested,
    "mixed": _find_mixed,
}
_PATTERNS = {
    "regions": "r_XXX/s1_XXX and r_XXX/s2_XXX",
    "terrain": "TERRAIN/s1 and TERRAIN/s2",
    "names": "a SAR folder (s1, sar) beside an optical one (s2, optical, rgb)",
    "bigearthnet": "folders of patches of BigEarthNet, whose metadata name their partners",
    "nested": "folders at any depth that differ in a word for SAR or optical (s1_30 and s2_30, trainA and trainB)",
    "mixed": "IMAGE_sar and IMAGE_opt in one folder",
}
