"""What stands on both sides of a split although it shows the same ground."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.data.splits.split_file import Split

Kind = Literal["content", "overlap", "scene"]


@dataclass(frozen=True)
class Leak:
    """Two items on different ``sides`` that hold the same contents, share pixels, or come from one scene."""

    kind: Kind
    names: tuple[str, str]
    sides: tuple[str, str]
    reason: str


def leaks(
    split: Split,
    items: Iterable[Item],
    twins: Sequence[Sequence[str]] = (),
    *,
    guard: int = 0,
    within: bool = False,
) -> list[Leak]:
    """Every leak of ``split``, sorted; of one scene without windows, the first of each two sides stands for all.

    Windows nearer than ``guard`` pixels count as overlapping. ``within`` also compares items of one side.
    """
    sides = {name: side for side, names in split.sides.items() for name in names}
    members = [item for item in items if item.name in sides]
    found = list(_copies(sides, twins))
    for one, other, reason in overlapping(members, guard, apart=None if within else sides):
        found.append(Leak("overlap", (one, other), (sides[one], sides[other]), reason))
    scenes: dict[str, list[Item]] = defaultdict(list)
    for item in members:
        if item.scene:
            scenes[item.scene].append(item)
    for scene, there in scenes.items():
        found += _unplaced(scene, there, sides)
    # Two patches of a scene meet in its pixels and again on the ground.
    return sorted(dict.fromkeys(found), key=lambda leak: (leak.kind, leak.names))


def overlapping(
    items: Iterable[Item], guard: int = 0, *, apart: Mapping[str, str] | None = None
) -> Iterator[tuple[str, str, str]]:
    """Names of two items whose windows, in one scene or on the ground, share pixels or are nearer than ``guard``; and
    how. With ``apart`` only those of which it says two different things."""
    planes: dict[str, list[tuple[Window, str]]] = defaultdict(list)
    for item in items:
        for plane, window in item.places.items():
            planes[plane].append((window, item.name))
    for placed in planes.values():
        if apart is None or len({apart[name] for _, name in placed}) > 1:
            yield from _overlaps(sorted(placed), guard, apart)


def _copies(sides: dict[str, str], twins: Sequence[Sequence[str]]) -> Iterator[Leak]:
    for names in twins:
        there = [name for name in names if name in sides]
        for name in there[1:]:
            if sides[name] != sides[there[0]]:
                yield Leak("content", (there[0], name), (sides[there[0]], sides[name]), "they hold the same file")


def _overlaps(
    placed: Sequence[tuple[Window, str]], guard: int, apart: Mapping[str, str] | None
) -> Iterator[tuple[str, str, str]]:
    """By cells as large as a window: what touches a cell is compared, and told in the cell where it first meets."""
    size = max(max(window.height, window.width) for window, _ in placed) + 2 * guard
    cells: dict[tuple[int, int], list[tuple[Window, str]]] = defaultdict(list)
    for window, name in placed:
        row, col, height, width = window.grown(guard)
        for down in range(row // size, (row + height - 1) // size + 1):
            for right in range(col // size, (col + width - 1) // size + 1):
                cells[down, right].append((window, name))
    for cell, there in cells.items():
        for (window, name), (other, second) in combinations(there, 2):
            if apart is not None and apart[name] == apart[second]:
                continue
            grown = window.grown(guard)
            meet = max(grown.row, other.row) // size, max(grown.col, other.col) // size
            if meet == cell and grown.shared(other):
                yield name, second, _distance(window, other)


def _distance(window: Window, other: Window) -> str:
    shared = window.shared(other)
    return f"their windows share {shared} pixels" if shared else "their windows are nearer than the guard"


def _unplaced(scene: str, members: Sequence[Item], sides: dict[str, str]) -> Iterator[Leak]:
    """Patches of one scene whose windows are unknown may overlap."""
    if all(item.window for item in members) or all(item.ground for item in members):
        return
    first: dict[str, str] = {}
    for item in members:
        first.setdefault(sides[item.name], item.name)
    if len(first) > 1:
        names = sorted(first.items(), key=lambda pair: pair[1])
        for (side, name), (other_side, other) in pairwise(names):
            yield Leak("scene", (name, other), (side, other_side), f"both are of the scene {scene}")
