"""Which items show the same ground, and the planes that blocks are laid on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import overlapping


def same_ground(items: Sequence[Item], guard: int = 0) -> Iterator[tuple[Item, Item]]:
    """Items of different scenes that share ground, or lie nearer to each other than ``guard`` pixels."""
    there = {item.name: item for item in items if item.ground}
    scene = {name: item.scene or name for name, item in there.items()}
    for one, other, _ in overlapping((replace(item, window=None) for item in there.values()), guard, apart=scene):
        yield there[one], there[other]


def laid(items: Sequence[Item], guard: int) -> Iterator[tuple[str, str, Window]]:
    """Each item's name, plane and window: pixels of its scene, or of the ground where scenes share it."""
    union = Union()
    for one, other in same_ground(items, guard):
        union.join(_own_plane(one), _own_plane(other))
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.places:
            groups[union.root(_own_plane(item))].append(item)
    for plane, members in groups.items():
        grounds = [item.ground.window for item in members if item.ground]
        if len(grounds) == len(members) and not all(_own_plane(i) == plane and i.window for i in members):
            row, col = min(w.row for w in grounds), min(w.col for w in grounds)
            yield from (
                (i.name, plane, w._replace(row=w.row - row, col=w.col - col))
                for i, w in zip(members, grounds, strict=True)
            )
        else:
            yield from ((i.name, next(iter(i.places)), next(iter(i.places.values()))) for i in members)


def _own_plane(item: Item) -> str:
    return next(iter(item.places))


class Union:
    """Sets that are joined pair by pair (disjoint-set forest with path halving)."""

    def __init__(self) -> None:
        self._above: dict[Any, Any] = {}

    def root(self, thing: Any) -> Any:
        above = self._above
        above.setdefault(thing, thing)
        while above[thing] != thing:
            above[thing] = thing = above[above[thing]]
        return thing

    def join(self, one: Any, other: Any) -> None:
        first, second = sorted((self.root(one), self.root(other)), key=repr)
        self._above[second] = first
