"""Items in different subsets of a split that show the same ground or hold the same contents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.split_file import Split

Kind = Literal["content", "overlap", "scene"]
Placed = tuple[Window, str]
"""A window and the name of its item."""


@dataclass(frozen=True)
class Leak:
    """Two items of different ``subsets`` that hold the same contents, share pixels, or come from one scene."""

    kind: Kind
    names: tuple[str, str]
    subsets: tuple[str, str]
    reason: str


def find_leaks(
    split: Split,
    items: Iterable[Item],
    duplicates: Sequence[Sequence[str]] = (),
    *,
    shared: Sequence[SharedPixels] = (),
    guard: int = 0,
    within: bool = False,
) -> list[Leak]:
    """All leaks of ``split``, sorted. Of a scene without windows only the first item of each subset is named.

    ``duplicates`` are names of items of equal contents, ``shared`` items that share pixels by what they show. Windows
    nearer than ``guard`` pixels count as overlapping. ``within`` also compares items of one subset.
    """
    subset_of = {name: subset for subset, names in split.subsets.items() for name in names}
    members = [item for item in items if item.name in subset_of]
    leaks = list(_find_copies(subset_of, duplicates))
    leaks += _find_shared(subset_of, shared)
    for one, other, reason in find_overlaps(members, guard, apart=None if within else subset_of):
        leaks.append(Leak("overlap", (one, other), (subset_of[one], subset_of[other]), reason))
    scenes: dict[str, list[Item]] = defaultdict(list)
    for item in members:
        if item.scene:
            scenes[item.scene].append(item)
    for scene, in_scene in scenes.items():
        leaks += _find_unplaced(scene, in_scene, subset_of)
    # Two patches of one scene overlap in its pixels and again on the ground: equal leaks are named once.
    return sorted(dict.fromkeys(leaks), key=lambda leak: (leak.kind, leak.names))


def find_overlaps(
    items: Iterable[Item], guard: int = 0, *, apart: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str, str]]:
    """Names of two items whose windows, in one scene or on the ground, overlap or are nearer than ``guard``; and how.

    With ``apart`` only pairs of items for which it holds different values.
    """
    planes: dict[str, list[Placed]] = defaultdict(list)
    for item in items:
        for plane, window in item.windows_by_plane.items():
            planes[plane].append((window, item.name))
    for placed in planes.values():
        if apart is None or len({apart[name] for _, name in placed}) > 1:
            yield from _find_plane_overlaps(sorted(placed), guard, apart)


def _find_copies(subset_of: dict[str, str], duplicates: Sequence[Sequence[str]]) -> Iterator[Leak]:
    for names in duplicates:
        present = [name for name in names if name in subset_of]
        for name in present[1:]:
            first = present[0]
            if subset_of[name] != subset_of[first]:
                yield Leak("content", (first, name), (subset_of[first], subset_of[name]), "they hold the same file")


def _find_shared(subset_of: Mapping[str, str], shared: Sequence[SharedPixels]) -> Iterator[Leak]:
    for both in shared:
        subsets = [subset_of[name] for name in both.names if name in subset_of]
        if len(set(subsets)) == 2:
            yield Leak("overlap", both.names, (subsets[0], subsets[1]), both.describe())


def _find_plane_overlaps(
    placed: Sequence[Placed], guard: int, apart: Mapping[str, str] | None
) -> Iterator[tuple[str, str, str]]:
    """Overlapping windows of one plane, found by grid hashing instead of comparing every window with every other.

    The plane is divided into square cells as large as the largest window with its guard, so that a window lies in at
    most four cells, and windows that overlap have a cell in common. Only windows of one cell are compared. A pair that
    shares several cells is reported in one of them: the cell of the upper left corner of their intersection.
    """
    size = max(max(window.height, window.width) for window, _ in placed) + 2 * guard
    cells: dict[tuple[int, int], list[Placed]] = defaultdict(list)
    for window, name in placed:
        row, col, height, width = window.grow(guard)
        for cell_row in range(row // size, (row + height - 1) // size + 1):
            for cell_col in range(col // size, (col + width - 1) // size + 1):
                cells[cell_row, cell_col].append((window, name))
    for cell, neighbours in cells.items():
        for (window, name), (other, other_name) in combinations(neighbours, 2):
            if apart is not None and apart[name] == apart[other_name]:
                continue
            grown = window.grow(guard)
            corner_cell = max(grown.row, other.row) // size, max(grown.col, other.col) // size
            if corner_cell == cell and grown.shared_pixels(other):
                yield name, other_name, _describe_overlap(window, other)


def _describe_overlap(window: Window, other: Window) -> str:
    shared = window.shared_pixels(other)
    return f"their windows share {shared} pixels" if shared else "their windows are nearer than the guard"


def _find_unplaced(scene: str, members: Sequence[Item], subset_of: dict[str, str]) -> Iterator[Leak]:
    """Leaks of a scene in which the windows of some patches are unknown: any two of them may overlap."""
    if all(item.window for item in members) or all(item.footprint for item in members):
        return
    first_of: dict[str, str] = {}
    for item in members:
        first_of.setdefault(subset_of[item.name], item.name)
    by_name = sorted(first_of.items(), key=lambda pair: pair[1])
    for (subset, name), (other_subset, other) in pairwise(by_name):
        yield Leak("scene", (name, other), (subset, other_subset), f"both are of the scene {scene}")
