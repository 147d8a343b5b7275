"""Pairs of SAR and optical images in a folder, found by name and described by their tables."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from rsforge.data.io.dataset_card import CARD, read_card
from rsforge.data.io.threads import map_in_threads
from rsforge.data.names.near_names import describe_nearest
from rsforge.data.names.pairing_remedies import choose_remedy
from rsforge.data.names.scene_names import find_places, find_window
from rsforge.data.names.sides import side_of_word
from rsforge.data.pairs.bigearthnet import match_partners, name_scene
from rsforge.data.pairs.folders import FolderPair
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.names import MOST_EXPLAINED, SEN12, match_names, scan_stems
from rsforge.data.pairs.pair import Pair, locate_pair
from rsforge.data.pairs.tables import TableRow, name_season, read_table, table_path
from rsforge.errors import RsforgeError
from rsforge.wording import agree, count_noun, join_start

FACTS = ("scene", "terrain", "region", "season", "country")
"""Texts of a pair that its metadata has too, whatever its table says."""
Finding = tuple[str, str]
"""File, table line or pair, and the reason why it is named."""


@dataclass
class PairIndex:
    """The pairs of a folder, and what is wrong with it.

    ``orphans`` are files without a partner, ``problems`` concern tables, folders and pairs, ``warnings`` tables,
    ``notes`` say how the folder was read. ``counts`` are the pairs of each folder before ``max_per_terrain`` was
    applied, ``empty_folders`` are folders s1 and s2 without an image.
    """

    root: Path
    layout: str
    pairs: list[Pair] = field(default_factory=list)
    orphans: list[Finding] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    empty_folders: list[str] = field(default_factory=list)


def find_pairs(
    root: Path,
    *,
    layout: str = "auto",
    terrains: Sequence[str] = (),
    max_per_terrain: int | None = None,
    collect_problems: bool = False,
) -> PairIndex:
    """Every pair below ``root`` in natural order; names, tables and headers of GeoTIFFs are read, no pixels.

    ``terrains`` are the folders to take (RSF-U007 when one is missing), ``max_per_terrain`` the number of pairs to take
    from each. RSF-D001 or RSF-D009 when there is no pair. Bad tables raise RSF-D005 or RSF-D006, or are listed as
    problems with ``collect_problems``.
    """
    found = find_layout(root, layout)
    index = PairIndex(root, found.name, problems=found.problems, notes=found.notes)
    rows_of_table: dict[Path, int] = {}
    for group in choose_groups(found.groups, terrains):
        rows = _read_table_rows(index, group, collect_problems)
        rows_of_table[table_path(root, group.name)] = len(rows)
        pairs = _match_group(index, group, rows)
        index.counts[group.name] = len(pairs)
        index.pairs += pairs[:max_per_terrain]
    reported = {name.rsplit(":", 1)[0] for name, _ in index.problems}
    index.warnings = [finding for finding in _find_unusable_tables(rows_of_table) if finding[0] not in reported]
    _check_grids(index)
    if read_card(root).get("complete") is False:
        index.problems.append((CARD, "the cut of these patches was not finished"))
    if not index.pairs:
        raise _no_pairs_error(index)
    return index


def _no_pairs_error(index: PairIndex) -> RsforgeError:
    """RSF-D009 with the empty folders, or else the first few reasons, and the remedy of the commonest."""
    reasons = [*index.orphans, *index.problems]
    fix = choose_remedy(index.root, reasons)
    found = "; ".join(f"{name}: {reason}" for name, reason in reasons[:3])
    what = f"no SAR image in {index.root} has its optical one"
    if index.empty_folders:
        what += f": there are no images in {join_start(index.empty_folders, 4)}"
    return RsforgeError("RSF-D009", what, where=str(index.root), found=found, fix=fix)


def choose_groups(groups: list[FolderPair], terrains: Sequence[str]) -> list[FolderPair]:
    """The groups of these ``terrains``, all of them when none is named; RSF-U007 when one is missing."""
    names = [group.name for group in groups]
    for terrain in terrains:
        if terrain not in names:
            close = difflib.get_close_matches(terrain, names, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            found = ", ".join(filter(None, names)) or "no terrain folders"
            raise RsforgeError("RSF-U007", f"there is no terrain {terrain}{hint}", where="--terrains", found=found)
    return [group for group in groups if not terrains or group.name in terrains]


def _find_unusable_tables(rows_of_table: dict[Path, int]) -> list[Finding]:
    """Tables without a usable row, and missing ones where other folders have a table."""
    any_rows = any(rows_of_table.values())
    findings = []
    for path, rows in rows_of_table.items():
        if not rows and path.is_file():
            findings.append((path.name, "it names no files"))
        elif not rows and any_rows:
            findings.append((path.name, "other folders have a table"))
    return findings


def _match_group(index: PairIndex, group: FolderPair, rows: dict[Path, TableRow]) -> list[Pair]:
    root = index.root
    try:
        matched = match_partners(root, group) if group.partners else match_names(root, group.sar, group.optical)
    except OSError as error:
        index.problems.append((group.name, error.strerror or "it cannot be read"))
        return []
    index.orphans += [(path.relative_to(root).as_posix(), reason) for path, reason in matched.orphans]
    if not matched.pairs:
        filled = {path.parent for path, _ in matched.orphans}
        empty = [folder for folder in (group.sar, group.optical) if folder not in filled]
        index.empty_folders += [folder.relative_to(root).as_posix() for folder in empty]
    pairs = [_describe_pair(index, group, name, sar, optical, rows) for name, sar, optical in matched.pairs]
    pairs = _name_scenes(index, group, pairs)
    _compare_with_table(index, group, pairs, rows)
    return pairs


def _compare_with_table(index: PairIndex, group: FolderPair, pairs: list[Pair], rows: dict[Path, TableRow]) -> None:
    table = table_path(index.root, group.name).name
    paired = {pair.sar for pair in pairs}
    missing = len(paired - rows.keys())
    if rows and missing:
        index.problems.append(
            (table, f"{missing} of {count_noun(len(pairs), 'pair')} {agree(missing, 'has', 'have')} no row")
        )
    strange = len(rows.keys() - paired)
    if strange:
        names = f"{count_noun(strange, 'row')} {agree(strange, 'names', 'name')} files"
        index.problems.append(
            (
                table,
                f"{names} that do not pair in {group.name}",
            )
        )


def _read_table_rows(index: PairIndex, group: FolderPair, collect_problems: bool) -> dict[Path, TableRow]:
    """The rows of the table of a group, by SAR file; rows of missing files and repeated ones are reported."""
    rows: dict[Path, TableRow] = {}
    table = table_path(index.root, group.name)
    if not table.is_file():
        return rows
    for row in _read_table(index, table, collect_problems):
        missing = [path for path in (row.sar, row.optical) if not path.is_file()]
        line = f"{table.name}:{row.where.rsplit(':', 1)[1]}"
        if missing:
            few = len(index.orphans) < MOST_EXPLAINED
            for path in missing:
                near = describe_nearest(path.stem, scan_stems(path.parent)) if few and path.parent.is_dir() else ""
                reason = f"{line} names it{f': {near}' if near.endswith('alone') else ''}"  # others are numbers
                index.orphans.append((path.relative_to(index.root).as_posix(), reason))
        elif row.sar in rows:
            index.problems.append((line, f"{row.sar.relative_to(index.root)} was named before"))
        else:
            rows[row.sar] = row
    return rows


def _read_table(index: PairIndex, table: Path, collect_problems: bool) -> Iterator[TableRow]:
    """The rows of a table; with ``collect_problems`` those before the first that cannot be used."""
    try:
        yield from read_table(index.root, table, index.notes.append)
    except RsforgeError as error:
        if not collect_problems:
            raise
        reason = f"{error.what}: {error.found}" if error.found else error.what
        index.problems.append((error.where.rsplit("/", 1)[-1], reason))


def _describe_pair(
    index: PairIndex, group: FolderPair, name: str, sar: Path, optical: Path, rows: dict[Path, TableRow]
) -> Pair:
    """A pair with what its name, its folder and its row in the table say."""
    scene, season = parse_scene_and_season(index.layout, group.name, name)
    pair = Pair(f"{group.name}/{name}" if group.name else name, sar, optical, scene=scene, season=season)
    if index.layout == "terrain" and not side_of_word(group.name):
        pair = replace(pair, terrain=group.name)
    row = rows.get(sar)
    if row is not None and row.optical != optical:
        index.problems.append((row.where.rsplit("/", 1)[-1], f"it pairs {sar.name} with {row.optical.name}"))
        row = None
    if row is not None:
        pair = _add_row(pair, group, row)
    facts = group.facts.get(name, {})
    pair = replace(pair, country=facts.get("country") or pair.country)
    return replace(pair, metadata={**facts, **pair.metadata, **{name: getattr(pair, name) for name in FACTS}})


def _name_scenes(index: PairIndex, group: FolderPair, pairs: list[Pair]) -> list[Pair]:
    """The pairs, those of unknown scenes with the scene that all their names tell."""
    unknown = [pair.name for pair in pairs if not pair.scene]
    places, titles = find_places(unknown)
    index.notes += [note for title in titles if (note := f"names tell the scenes of pairs: {title}") not in index.notes]
    named = []
    for pair in pairs:
        place = places.get(pair.name)
        if place is not None:
            window = pair.window or find_window(place, pair.optical)
            metadata = {**pair.metadata, "scene": place.scene}
            pair = replace(pair, scene=place.scene, window=window, metadata=metadata)
        named.append(pair)
    return named


def _add_row(pair: Pair, group: FolderPair, row: TableRow) -> Pair:
    """The pair with what its row says, where that is known."""
    return replace(
        pair,
        scene=row.scene or pair.scene or _scene_by_coordinates(group, row),
        window=row.window or pair.window,
        region=row.region or pair.region,
        season=row.season or pair.season,
        country=row.country or pair.country,
        coordinates=row.coordinates or pair.coordinates,
        metadata=row.metadata,
    )


def parse_scene_and_season(layout: str, folder: str, name: str) -> tuple[str, str]:
    """Scene and season of an image from its ``name`` without token s1 or s2, and its folder; empty where unknown."""
    parsed = SEN12.fullmatch(name)
    if parsed is not None:
        season = name_season(parsed["season"])
        return f"ROIs{parsed['roi']}_{season}_{parsed['scene']}", season
    if layout == "bigearthnet":
        return name_scene(name), ""
    if layout == "terrain" and folder.lower().startswith("scene"):
        return folder, ""
    return "", ""


def _scene_by_coordinates(group: FolderPair, row: TableRow) -> str:
    """A name for the scene of patches with equal coordinates: tables give those of the scene."""
    return f"{group.name} {row.coordinates}" if row.coordinates else ""


def _check_grids(index: PairIndex) -> None:
    """Take footprints and coordinates from GeoTIFFs, and move pairs whose grids differ to the problems."""
    usable = []
    for pair, (located, reason) in zip(index.pairs, map_in_threads(locate_pair, index.pairs), strict=True):
        if reason:
            index.problems.append((pair.name, reason))
        else:
            usable.append(located)
    index.pairs = usable
