"""What stands on both sides of a split although it shows the same ground."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from rsforge.data.items import Item
from rsforge.data.split_file import Split
from rsforge.data.windows import Window

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
    found = list(_copies(sides, twins))
    scenes: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.scene and item.name in sides:
            scenes[item.scene].append(item)
    for scene, members in scenes.items():
        if within or len({sides[item.name] for item in members}) > 1:
            found += _overlaps(members, sides, guard, within)
            found += _unplaced(scene, members, sides)
    return sorted(found, key=lambda leak: (leak.kind, leak.names))


def _copies(sides: dict[str, str], twins: Sequence[Sequence[str]]) -> Iterator[Leak]:
    for names in twins:
        there = [name for name in names if name in sides]
        for name in there[1:]:
            if sides[name] != sides[there[0]]:
                yield Leak("content", (there[0], name), (sides[there[0]], sides[name]), "they hold the same file")


def _overlaps(members: Sequence[Item], sides: dict[str, str], guard: int, within: bool) -> Iterator[Leak]:
    placed = sorted((item.window, item.name) for item in members if item.window is not None)
    for k, (window, name) in enumerate(placed):
        grown = window.grown(guard)
        for other, second in placed[k + 1 :]:
            if other.row >= grown.row + grown.height:
                break
            if (within or sides[name] != sides[second]) and grown.shared(other):
                yield Leak("overlap", (name, second), (sides[name], sides[second]), _distance(window, other))


def _distance(window: Window, other: Window) -> str:
    shared = window.shared(other)
    return f"their windows share {shared} pixels" if shared else "their windows are nearer than the guard"


def _unplaced(scene: str, members: Sequence[Item], sides: dict[str, str]) -> Iterator[Leak]:
    """Patches of one scene whose windows are unknown may overlap."""
    first: dict[str, str] = {}
    for item in members:
        first.setdefault(sides[item.name], item.name)
    if len(first) > 1 and any(item.window is None for item in members):
        names = sorted(first.items(), key=lambda pair: pair[1])
        for (side, name), (other_side, other) in pairwise(names):
            yield Leak("scene", (name, other), (side, other_side), f"both are of the scene {scene}")
