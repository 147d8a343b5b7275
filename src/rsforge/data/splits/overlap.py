"""Items of different scenes that show the same ground, and the planes in which blocks are cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import find_overlaps


def find_shared_ground(items: Sequence[Item], guard: int = 0) -> Iterator[tuple[Item, Item]]:
    """Pairs of items of different scenes whose footprints overlap or are nearer than ``guard`` pixels."""
    placed = {item.name: item for item in items if item.footprint}
    scenes = {name: item.scene or name for name, item in placed.items()}
    on_ground = (replace(item, window=None) for item in placed.values())
    for one, other, _ in find_overlaps(on_ground, guard, apart=scenes):
        yield placed[one], placed[other]


def plane_windows(items: Sequence[Item], guard: int) -> Iterator[tuple[str, str, Window]]:
    """The name, plane and window of every item with a known place, in planes that can be cut into blocks.

    An item lies in the plane of its scene, in pixels of the scene. Scenes that share ground must be cut by common
    lines: their planes are joined, and the windows of their items are counted in pixels of the ground, from the upper
    left of all of them. Items without a footprint keep the pixels of their scene.
    """
    planes = DisjointSet()
    for one, other in find_shared_ground(items, guard):
        planes.join(_own_plane(one), _own_plane(other))
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if item.windows_by_plane:
            groups[planes.find_root(_own_plane(item))].append(item)
    for plane, members in groups.items():
        footprints = [item.footprint.window for item in members if item.footprint]
        all_on_ground = len(footprints) == len(members)
        all_in_one_scene = all(_own_plane(item) == plane and item.window for item in members)
        if all_on_ground and not all_in_one_scene:
            row, col = min(w.row for w in footprints), min(w.col for w in footprints)
            for item, window in zip(members, footprints, strict=True):
                yield item.name, plane, window._replace(row=window.row - row, col=window.col - col)
        else:
            for item in members:
                own = _own_plane(item)
                yield item.name, own, item.windows_by_plane[own]


def _own_plane(item: Item) -> str:
    """The first plane of an item: that of its scene, or of the ground where its window in the scene is unknown."""
    return next(iter(item.windows_by_plane))


class DisjointSet:
    """Sets that are joined pair by pair: a disjoint-set forest with path halving.

    The root of a set is its smallest member by ``repr``, whatever the order of joining.
    """

    def __init__(self) -> None:
        self._parent: dict[Any, Any] = {}

    def find_root(self, member: Any) -> Any:
        """The root of the set of ``member``, which is a set of its own when it is new."""
        parent = self._parent
        parent.setdefault(member, member)
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    def join(self, one: Any, other: Any) -> None:
        """Make one set of the sets of both members."""
        root, child = sorted((self.find_root(one), self.find_root(other)), key=repr)
        self._parent[child] = root
