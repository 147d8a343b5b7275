"""Scenes and places in the names of tiles, by the grammars of the usual programs that cut them.

A grammar is taken where it fits nearly all names of a folder, so that a chance likeness of one name decides nothing.
What is left of a name without the place is its scene.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath

from rsforge.data.files.stack_paths import name_whole
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import read_info
from rsforge.data.io.windows import Window

FEWEST = 4  # names that show a grammar
MOST_OTHERS = 0.1  # of the names of a folder
FILLED = 0.5  # of the grid that the numbers of a scene span
LEAST_STEP = 8  # numbers nearer than this count tiles, not pixels


@dataclass(frozen=True)
class NamedPlace:
    """The ``scene`` of a tile, and its upper left pixel in it, None where the name counts tiles or says nothing.

    ``height`` and ``width`` are None where only the corner stands in the name. Where names do not tell rows from
    columns (``is_ordered`` off), windows of square tiles overlap alike either way, and others are not known.
    """

    scene: str
    row: int | None = None
    col: int | None = None
    height: int | None = None
    width: int | None = None
    is_ordered: bool = True


@dataclass(frozen=True)
class Grammar:
    """A way of naming tiles: ``title`` is what it looks like, ``pattern`` has scene and numbers as groups.

    Names without letters before their numbers, ``bare`` ones, need a grid that they fill; what only ``counts``
    tiles needs several scenes of several tiles. Scenes of one name in two folders differ, unless the grammar makes
    ``unique`` names.
    """

    title: str
    pattern: re.Pattern[str]
    bare: bool = False
    unique: bool = False
    counts: bool = False


_N = r"\d{1,9}"
_SCENE = r"(?P<scene>.+?)"
GRAMMARS = (
    Grammar("SCENE_r00000_c00256", re.compile(r"(?P<scene>.+)_r(?P<row>\d{5,9})_c(?P<col>\d{5,9})")),
    Grammar(
        "SCENE__SCALE__COL___ROW, as DOTA is cut",
        re.compile(rf"{_SCENE}__(?P<scale>\d+(?:\.\d+)?)__(?P<col>{_N})___(?P<row>{_N})"),
    ),
    Grammar(
        "SCENE_N_COL_ROW_COLEND_ROWEND, as SAHI cuts",
        re.compile(rf"{_SCENE}(?:_\d+)?_(?P<col>{_N})_(?P<row>{_N})_(?P<col_end>{_N})_(?P<row_end>{_N})"),
    ),
    Grammar(
        "SCENE_ROW_ROWEND_COL_COLEND, as iSAID is cut",
        re.compile(rf"{_SCENE}_(?P<row>{_N})_(?P<row_end>{_N})_(?P<col>{_N})_(?P<col_end>{_N})"),
    ),
    Grammar(
        "ROIs_SEASON_SCENE_pN, as SEN1-2", re.compile(r"(?P<scene>ROIs\d+_[a-z]+(?:_s[12])?_\d+)_p\d+"), unique=True
    ),
    Grammar(
        "SCENE_rowN_colN",
        re.compile(rf"{_SCENE}[_\-](?:row|r)[_\-]?(?P<row>{_N})[_\-](?:col|c)[_\-]?(?P<col>{_N})", re.I),
    ),
    Grammar("SCENE_xN_yN", re.compile(rf"{_SCENE}[_\-]x[_\-]?(?P<col>{_N})[_\-]y[_\-]?(?P<row>{_N})", re.I)),
    Grammar("SCENE_yN_xN", re.compile(rf"{_SCENE}[_\-]y[_\-]?(?P<row>{_N})[_\-]x[_\-]?(?P<col>{_N})", re.I)),
    Grammar("SCENE_(N,N)", re.compile(rf"{_SCENE}[_\- ]?\((?P<col>{_N})[,;_ ]+(?P<row>{_N})\)")),
    Grammar(
        "SCENE_N_N, as gdal_retile and others cut",
        re.compile(rf"{_SCENE}[_\-]{{1,2}}(?P<row>{_N})[_\-]{{1,2}}(?P<col>{_N})"),
        bare=True,
    ),
    Grammar("SCENE_patch_N", re.compile(rf"{_SCENE}[_\-](?:patch|tile|chip|crop)[_\-]?{_N}", re.I), counts=True),
    Grammar("SCENE/N_N", re.compile(rf"(?P<scene>)(?P<row>{_N})[_\-](?P<col>{_N})"), bare=True),
)
_COUNTED = re.compile(r"(.*[\W_])?(class|cls|cat|category|label|img|image|photo|sample|frame|page|id|fold)s?", re.I)
"""Words before two numbers that say what is counted, not where: class_3_17."""


def find_window(place: NamedPlace, path: Path) -> Window | None:
    """The window of a tile in its scene, of the size that its name or its header says; None where it is not known."""
    if place.row is None or place.col is None:
        return None
    if place.height is not None and place.width is not None:
        return Window(place.row, place.col, place.height, place.width)
    try:
        info = read_info(path)
    except UnreadableError:  # reported by whoever opens the image
        return None
    if info.height != info.width and not place.is_ordered:
        return None
    return Window(place.row, place.col, info.height, info.width)


def find_places(names: Sequence[str]) -> tuple[dict[str, NamedPlace], list[str]]:
    """By name, the place of each tile, and the titles of the grammars; nothing where none fits.

    Names are relative paths. A grammar is tried on all of them together, and else on those of each folder.
    """
    places, title = _read_by_one(names)
    if title:
        return places, [title]
    titles: list[str] = []
    folders = _by_folder(names)
    for own in folders.values() if len(folders) > 1 else ():
        found, title = _read_by_one(own)
        places |= found
        titles += [title] if title and title not in titles else []
    return places, titles


def _by_folder(names: Iterable[str]) -> Mapping[str, list[str]]:
    folders: dict[str, list[str]] = defaultdict(list)
    for name in names:
        folders[PurePosixPath(name).parent.as_posix()].append(name)
    return folders


def _read_by_one(names: Sequence[str]) -> tuple[dict[str, NamedPlace], str]:
    """The places by the first grammar that fits nearly all ``names``, and its title."""
    if len(names) < FEWEST:
        return {}, ""
    for grammar in GRAMMARS:
        found = _match_names(grammar, names)
        if len(found) >= FEWEST and _is_sound(grammar, found):
            in_pixels = _count_pixels(found)
            return {name: _read_place(grammar, name, match, in_pixels) for name, match in found.items()}, grammar.title
    return {}, ""


def _match_names(grammar: Grammar, names: Sequence[str]) -> dict[str, re.Match[str]]:
    """The matches of ``names``; none as soon as too many do not fit."""
    found: dict[str, re.Match[str]] = {}
    others = 0
    for name in names:
        match = grammar.pattern.fullmatch(PurePosixPath(name_whole(name)).stem)
        if match:
            found[name] = match
            continue
        others += 1
        if others > MOST_OTHERS * len(names):
            return {}
    return found


def _scene_of(grammar: Grammar, name: str, match: re.Match[str]) -> str:
    # Both images of a pair show one scene, whose name must not hold the modality.
    scene = re.sub(r"_s[12](?=_|$)", "", match["scene"]) if grammar.unique else match["scene"]
    folder = PurePosixPath(name).parent.as_posix()
    return scene if folder == "." or grammar.unique else f"{folder}/{scene}".rstrip("/")


def _read_place(grammar: Grammar, name: str, match: re.Match[str], in_pixels: bool) -> NamedPlace:
    scene, parts = _scene_of(grammar, name, match), match.groupdict()
    if not in_pixels:
        return NamedPlace(scene)
    row, col = int(parts["row"]), int(parts["col"])
    if parts.get("row_end") is None:
        return NamedPlace(scene, row, col, is_ordered=not grammar.bare)
    return NamedPlace(scene, row, col, int(parts["row_end"]) - row, int(parts["col_end"]) - col)


def _count_pixels(found: Mapping[str, re.Match[str]]) -> bool:
    """Whether the numbers count pixels of one scale: steps between them are larger than those of counted tiles."""
    groups = [match.groupdict() for match in found.values()]
    if any("row" not in parts for parts in groups) or len({parts.get("scale") for parts in groups}) > 1:
        return False
    steps = [b - a for key in ("row", "col") for a, b in pairwise(sorted({int(parts[key]) for parts in groups}))]
    return bool(steps) and min(steps) >= LEAST_STEP


def _is_sound(grammar: Grammar, found: Mapping[str, re.Match[str]]) -> bool:
    """Whether the numbers of all names can be places: ends after starts, and grids where names are bare."""
    for match in found.values():
        ends = match.groupdict()
        if "row_end" in ends and (int(ends["row_end"]) <= int(ends["row"]) or int(ends["col_end"]) <= int(ends["col"])):
            return False
    if grammar.counts:
        return _are_several(grammar, found)
    return not grammar.bare or _fill_grids(grammar, found)


def _are_several(grammar: Grammar, found: Mapping[str, re.Match[str]]) -> bool:
    """Whether names tell several scenes, most of them of several tiles: a word before all numbers alike is none."""
    tiles = Counter(_scene_of(grammar, name, match) for name, match in found.items())
    counted = any(_COUNTED.fullmatch(match["scene"]) for match in found.values())
    return not counted and len(tiles) > 1 and 2 * sum(count > 1 for count in tiles.values()) > len(tiles)


def _fill_grids(grammar: Grammar, found: Mapping[str, re.Match[str]]) -> bool:
    """Whether two numbers at the ends of names are rows and columns: in every scene they fill a good part of a grid.

    Numbers that only count, or classes with numbers, fill none; a scene needs a letter, and one scene several rows and
    columns.
    """
    cells: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for name, match in found.items():
        scene = _scene_of(grammar, name, match)
        if not scene or _COUNTED.fullmatch(match["scene"]):
            return False
        if match["scene"] and not re.search(r"[^\W\d_]", match["scene"]):
            return False
        cells[scene].append((int(match["row"]), int(match["col"])))
    several = False
    for own in cells.values():
        rows, cols = ({cell[k] for cell in own} for k in (0, 1))
        if len(set(own)) < len(own) or len(own) < FILLED * len(rows) * len(cols):
            return False
        several |= len(rows) > 1 and len(cols) > 1
    return several
