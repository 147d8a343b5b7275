"""Pairs of SAR and optical images: found by parsed name and joined with their tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rsforge.data.io import rasters
from rsforge.data.io.dataset_card import CARD, read_card
from rsforge.data.io.georeference import Ground, apart
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.threads import in_threads
from rsforge.data.io.windows import Window
from rsforge.data.pairs.layouts import Group, find_layout
from rsforge.data.pairs.names import SEN12, match
from rsforge.data.pairs.tables import Row, read_table, table_of
from rsforge.errors import RsforgeError

Fault = tuple[str, str]
TIFF = (".tif", ".tiff")


@dataclass(frozen=True)
class Pair:
    """A SAR image and the optical one of the same place.

    ``name`` is unique and relative, without the folder or token s1 or s2; ``window`` is the patch in its scene;
    ``coordinates`` are (lon, lat) in degrees, ``ground`` the place of GeoTIFFs. Empty texts and None mean unknown.
    """

    name: str
    sar: Path
    optical: Path
    scene: str = ""
    window: Window | None = None
    terrain: str = ""
    region: str = ""
    season: str = ""
    country: str = ""
    coordinates: tuple[float, float] | None = None
    ground: Ground | None = None


@dataclass
class PairIndex:
    """What a folder holds: ``orphans`` of (file, reason), ``problems`` of (table or pair, reason), ``doubts`` of
    (table, reason), ``notes`` to say; ``counts`` are the pairs of each folder before any were cut off, ``empty`` those
    of its folders s1 and s2 without an image."""

    root: Path
    layout: str
    pairs: list[Pair] = field(default_factory=list)
    orphans: list[Fault] = field(default_factory=list)
    problems: list[Fault] = field(default_factory=list)
    doubts: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)


def find_pairs(
    root: Path,
    *,
    layout: str = "auto",
    terrains: Sequence[str] = (),
    max_per_terrain: int | None = None,
    judged: bool = False,
) -> PairIndex:
    """Every pair below ``root`` in natural order; names, tables and the headers of GeoTIFFs are read, no pixels.

    ``terrains`` are the folders to take (RSF-U007 when one is not there), ``max_per_terrain`` the first pairs of each.
    RSF-D001 or RSF-D009 when nothing pairs; RSF-D005 and RSF-D006 for tables, which are problems where they are
    ``judged``.
    """
    laid = find_layout(root, layout)
    groups = chosen(laid.groups, terrains)
    index = PairIndex(root, laid.name, problems=laid.problems, notes=laid.notes)
    tables = {}
    for group in groups:
        rows = _rows(index, group, judged)
        tables[table_of(root, group.name)] = len(rows)
        pairs = _paired(index, group, rows)
        index.counts[group.name] = len(pairs)
        index.pairs += pairs[:max_per_terrain]
    bad = {name.rsplit(":", 1)[0] for name, _ in index.problems}
    index.doubts = [doubt for doubt in _untold(tables) if doubt[0] not in bad]
    _place(index)
    if read_card(root).get("complete") is False:
        index.problems.append((CARD, "the cut of these patches was not finished"))
    if not index.pairs:
        raise _none(index)
    return index


def _none(index: PairIndex) -> RsforgeError:
    """Nothing pairs: because folders are empty, or else for the first few reasons."""
    found = "; ".join(f"{name}: {reason}" for name, reason in (*index.orphans, *index.problems)[:3])
    what = f"no SAR image in {index.root} has its optical one"
    if index.empty:
        what += f": there are no images in {', '.join(index.empty[:4])}{', ...' if len(index.empty) > 4 else ''}"
    return RsforgeError("RSF-D009", what, where=str(index.root), found=found)


def chosen(groups: list[Group], terrains: Sequence[str]) -> list[Group]:
    """The groups of these ``terrains``, all when there are none; RSF-U007 when one is not there."""
    there = [group.name for group in groups]
    for terrain in terrains:
        if terrain not in there:
            close = difflib.get_close_matches(terrain, there, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            found = ", ".join(filter(None, there)) or "no terrain folders"
            raise RsforgeError("RSF-U007", f"there is no terrain {terrain}{hint}", where="--terrains", found=found)
    return [group for group in groups if not terrains or group.name in terrains]


def _untold(tables: dict[Path, int]) -> list[Fault]:
    """The tables without a usable row, where there are tables at all."""
    told = any(tables.values())
    empty = [path for path, rows in tables.items() if not rows and (told or path.is_file())]
    return [(path.name, "it names no files" if path.is_file() else "other folders have a table") for path in empty]


def _paired(index: PairIndex, group: Group, rows: dict[Path, Row]) -> list[Pair]:
    root = index.root
    try:
        matched = match(root, group.sar, group.optical)
    except OSError as error:
        index.problems.append((group.name, error.strerror or "it cannot be read"))
        return []
    index.orphans += [(path.relative_to(root).as_posix(), reason) for path, reason in matched.orphans]
    filled = {path.parent for path, _ in matched.orphans} if not matched.pairs else {group.sar, group.optical}
    index.empty += [side.relative_to(root).as_posix() for side in (group.sar, group.optical) if side not in filled]
    pairs = [_described(index, group, name, sar, optical, rows) for name, sar, optical in matched.pairs]
    table, paired = table_of(root, group.name).name, {pair.sar for pair in pairs}
    if rows and (bare := len(paired - rows.keys())):
        index.problems.append((table, f"{bare} of {len(pairs)} pairs have no row"))
    if strange := len(rows.keys() - paired):
        index.problems.append((table, f"{strange} rows name files that do not pair in {group.name}"))
    return pairs


def _rows(index: PairIndex, group: Group, judged: bool) -> dict[Path, Row]:
    """The rows of the group's table by SAR file; those that name missing files or come twice are told of."""
    table, rows = table_of(index.root, group.name), dict[Path, Row]()
    if not table.is_file():
        return rows
    for row in _read(index, table, judged):
        missing = [path for path in (row.sar, row.optical) if not path.is_file()]
        line = f"{table.name}:{row.where.rsplit(':', 1)[1]}"
        if missing:
            index.orphans += [(path.relative_to(index.root).as_posix(), f"{line} names it") for path in missing]
        elif row.sar in rows:
            index.problems.append((line, f"{row.sar.relative_to(index.root)} was named before"))
        else:
            rows[row.sar] = row
    return rows


def _read(index: PairIndex, table: Path, judged: bool) -> Iterator[Row]:
    """The rows of a table, up to the first that cannot be used where it is ``judged``."""
    try:
        yield from read_table(index.root, table)
    except RsforgeError as error:
        if not judged:
            raise
        reason = f"{error.what}: {error.found}" if error.found else error.what
        index.problems.append((error.where.rsplit("/", 1)[-1], reason))


def _described(index: PairIndex, group: Group, name: str, sar: Path, optical: Path, rows: dict[Path, Row]) -> Pair:
    scene, season = told_by_name(index.layout, group.name, name)
    pair = Pair(f"{group.name}/{name}" if group.name else name, sar, optical, scene=scene, season=season)
    if index.layout == "terrain":
        pair = replace(pair, terrain=group.name)
    row = rows.get(sar)
    if row is None:
        return pair
    if row.optical != optical:
        index.problems.append((row.where.rsplit("/", 1)[-1], f"it pairs {sar.name} with {row.optical.name}"))
        return pair
    names = ("window", "region", "season", "country", "coordinates")
    told = {name: value for name in names if (value := getattr(row, name))}
    return replace(pair, scene=row.scene or pair.scene or _scene_of(group, row), **told)


def told_by_name(layout: str, folder: str, name: str) -> tuple[str, str]:
    """Scene and season of an image whose ``name`` is without its token s1 or s2; empty where they are not told."""
    if (parsed := SEN12.fullmatch(name)) is not None:
        season = "fall" if parsed["season"] == "autumn" else parsed["season"]
        return f"ROIs{parsed['roi']}_{season}_{parsed['scene']}", season
    return (folder if layout == "terrain" and folder.lower().startswith("scene") else ""), ""


def _scene_of(group: Group, row: Row) -> str:
    """Patches of one scene share its coordinates."""
    return f"{group.name} {row.coordinates}" if row.coordinates else ""


def _place(index: PairIndex) -> None:
    """Compare the grids of GeoTIFF pairs, take coordinates from them, and set aside those that lie apart."""
    kept = []
    for pair, (placed, reason) in zip(index.pairs, in_threads(_placed, index.pairs), strict=True):
        if reason:
            index.problems.append((pair.name, reason))
        else:
            kept.append(placed)
    index.pairs = kept


def _placed(pair: Pair) -> tuple[Pair, str]:
    if pair.sar.suffix.lower() not in TIFF or pair.optical.suffix.lower() not in TIFF:
        return pair, ""
    try:
        sar, optical = rasters.inspect(pair.sar), rasters.inspect(pair.optical)
    except UnreadableError:  # who opens the pair says so
        return pair, ""
    pair = replace(pair, ground=sar.ground or optical.ground)
    if pair.coordinates is None and sar.grid is not None:
        pair = replace(pair, coordinates=sar.grid.centre(sar.height, sar.width))
    return pair, apart(sar, optical)
