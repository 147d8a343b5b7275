"""What a split is asked for, and the error for items that lack what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rsforge.data.splits.items import Item
from rsforge.data.splits.overlap import DisjointSet, find_shared_ground
from rsforge.errors import RsforgeError
from rsforge.wording import agree, count_noun

DuplicateGroups = Sequence[Sequence[str]]
"""Groups of names of items that have a file, or pixels, in common."""
SubsetOf = dict[str, str]
"""The subset of each group or item, by name."""


@dataclass(frozen=True)
class SplitRequest:
    """How to divide: shares of the items for ``val`` and ``test``, and the options of the ways of dividing.

    ``by`` is scene, region, coordinate, patch, block or stated. ``block_size`` and ``guard`` are in pixels. RSF-U005
    when nothing is left to train on.
    """

    by: str
    val: float = 0.2
    test: float = 0.0
    seed: int = 42
    block_size: int | None = None
    guard: int = 0
    distance_km: float = 25.0
    allow_leak: bool = False

    def __post_init__(self) -> None:
        if self.val + self.test >= 1:
            what = "--val and --test leave nothing to train on"
            found = f"{self.val:g} and {self.test:g}"
            raise RsforgeError("RSF-U005", what, where="--val, --test", found=found)


def require_known(items: Sequence[Item], request: SplitRequest, unknown: Sequence[Item], what: str) -> None:
    """RSF-D011 when some items are ``unknown`` in what the split goes by, unless leaks are allowed."""
    if not unknown or request.allow_leak:
        return
    within = suggest_within(items) if request.by == "scene" and lie_on_one_ground(items) else ""
    some = f"{len(unknown)} of {count_noun(len(items), 'item')} {agree(len(unknown), 'has', 'have')}"
    raise RsforgeError(
        "RSF-D011",
        f"{some} no known {what}: patches of one could be in different subsets",
        where=f"--by {request.by}",
        found=f"{unknown[0].name}{', ...' if len(unknown) > 1 else ''}",
        fix=suggest_way(items, what) + (f"divide {within}" if within else "accept it with --allow-leak"),
    )


def suggest_way(items: Sequence[Item], unknown: str) -> str:
    """``divide --by WAY, or `` for a way that divides ``items`` without what is ``unknown``; empty for none."""
    scenes, regions = {item.scene for item in items}, {region_of(item) for item in items}
    if unknown != "scene" and "" not in scenes and len(scenes) > 1:
        return "divide --by scene, or "
    if "" not in regions and len(regions) > 1:
        return "divide --by region (folders count as regions), or "
    return ""


def lie_on_one_ground(items: Sequence[Item]) -> bool:
    """Whether the ground of items hangs together, so that dividing by scene parts none, whatever leaks are allowed."""
    sets = DisjointSet()
    for one, other in find_shared_ground(items):
        sets.join(one.name, other.name)
    return len(items) > 1 and len({sets.find_root(item.name) for item in items}) == 1


def suggest_within(items: Sequence[Item]) -> str:
    """The options that divide the items of one place: by block where their windows are known and differ."""
    windows = {frozenset(item.windows_by_plane.items()) for item in items}
    can_be_cut = all(windows) and len(windows) > 1
    return "--by block" if can_be_cut else "--by patch --allow-leak"


def region_of(item: Item) -> str:
    """The region of an item, else its terrain, else its topmost folder; empty for an item of the root."""
    return item.region or item.terrain or (item.name.split("/")[0] if "/" in item.name else "")
