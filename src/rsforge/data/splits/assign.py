"""Items to sides, so that neighbours never part: pure functions of names, places and a seed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import Leak, leaks
from rsforge.data.splits.overlap import Union, laid, same_ground
from rsforge.data.splits.split_file import SIDES, Split
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

EARTH_KM = 6371.0088  # mean radius, IUGG
Twins = Sequence[Sequence[str]]
Sides = dict[str, str]


@dataclass(frozen=True)
class Wanted:
    """How to divide: shares of the items for ``val`` and ``test``, and what the ways of dividing need.

    RSF-U005 when nothing is left to train on.
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
            what, found = "--val and --test leave nothing to train on", f"{self.val:g} and {self.test:g}"
            raise RsforgeError("RSF-U005", what, where="--val, --test", found=found)


def divide(
    items: Sequence[Item], wanted: Wanted, *, twins: Twins = (), facts: Mapping[str, Any] | None = None
) -> Split:
    """The split of ``items``, the same whatever their order; ``twins`` are names that must not part.

    RSF-D011 when it would leak or what it goes by is unknown, unless ``allow_leak``; RSF-D004 when a side is empty;
    RSF-U005 for blocks smaller than a patch.
    """
    items = sorted(items, key=_name)
    sides = _by_block(items, wanted, twins) if wanted.by == "block" else _by_group(items, wanted, twins)
    members = {side: sorted(name for name, on in sides.items() if on == side) for side in SIDES}
    left_out = sorted(item.name for item in items if item.name not in sides)
    told = {**_told(wanted, members, left_out), **(facts or {})}
    split = Split(wanted.by, wanted.seed, members, left_out, told)
    _check_sides(split, wanted)
    parted = leaks(split, items, twins, guard=wanted.guard)
    if parted and not wanted.allow_leak:
        raise _refused(wanted, parted)
    if wanted.allow_leak:
        counts = {kind: sum(leak.kind == kind for leak in parted) for kind in sorted({leak.kind for leak in parted})}
        unknown = sum(not item.scene for item in items)
        split.facts.update(leak=bool(parted or unknown), leaks=counts, unknown_scenes=unknown)
    return split


def _name(item: Item) -> str:
    return item.name


def _told(wanted: Wanted, members: Mapping[str, Sequence[str]], left_out: Sequence[str]) -> dict[str, Any]:
    total = sum(map(len, members.values())) or 1
    told: dict[str, Any] = {
        "asked": {"val": wanted.val, "test": wanted.test},
        "reached": {side: round(len(members[side]) / total, 4) for side in ("val", "test")},
        "leak": False,
    }
    if wanted.by == "block":
        told |= {"guard": wanted.guard, "left_out": len(left_out)}
    if wanted.by == "coordinate":
        told |= {"distance_km": wanted.distance_km}
    return told


def _check_sides(split: Split, wanted: Wanted) -> None:
    asked = {"train": True, "val": wanted.val > 0, "test": wanted.test > 0}
    empty = [side for side in SIDES if asked[side] and not split.sides[side]]
    if empty:
        found = ", ".join(f"{len(split.sides[side])} {side}" for side in SIDES)
        found += f", {len(split.left_out)} left out" if split.left_out else ""
        raise RsforgeError(
            "RSF-D004",
            f"dividing by {wanted.by} leaves nothing for {' and '.join(empty)}",
            where=f"--by {wanted.by}",
            found=found,
            fix="divide by something finer, or lower --val, --test, --block-size or --guard",
        )


def _refused(wanted: Wanted, found: Sequence[Leak]) -> RsforgeError:
    first, more = found[0], len(found) - 1
    told = f"{first.names[0]} ({first.sides[0]}) and {first.names[1]} ({first.sides[1]}): {first.reason}"
    return RsforgeError(
        "RSF-D011",
        f"a split by {wanted.by} would put neighbours on both sides",
        where=f"--by {wanted.by}",
        found=told + (f"; and {more} more" if more else ""),
    )


def shared_out(weights: Mapping[str, int], val: float, test: float, seed: int) -> Sides:
    """Groups to sides, in an order drawn by ``seed``: test and val take groups while that brings them nearer to share.

    Each asked-for side gets a group where there are enough, the train side keeps one.
    """
    order = sorted(weights, key=lambda key: (derive(seed, "split", key), key))
    total, sides, left = sum(weights.values()), Sides(), list(order)
    for side, goal in (("test", total * test), ("val", total * val)):
        have, taken = 0, set[str]()
        for key in left:
            nearer = abs(have + weights[key] - goal) < abs(have - goal)
            if goal > 0 and nearer and len(taken) < len(left) - 1:
                taken.add(key)
                have += weights[key]
        if goal > 0 and not taken and len(left) > 1:
            taken.add(min(left, key=lambda key: weights[key]))
        sides |= dict.fromkeys(taken, side)
        left = [key for key in left if key not in taken]
    return sides | dict.fromkeys(left, "train")


def _by_group(items: Sequence[Item], wanted: Wanted, twins: Twins) -> Sides:
    keys = _keys(items, wanted)
    union = Union()
    for item in items:
        union.join(("item", item.name), ("key", keys[item.name]))
        if item.scene and wanted.by != "patch":
            union.join(("item", item.name), ("scene", item.scene))
    for names in twins:
        for name in names[1:]:
            union.join(("item", names[0]), ("item", name))
    if wanted.by != "patch":
        for one, other in same_ground(items):
            union.join(("item", one.name), ("item", other.name))
    root = {item.name: union.root(("item", item.name)) for item in items}
    groups: dict[Any, list[str]] = defaultdict(list)
    for name, found in root.items():
        groups[found].append(name)
    labels = {found: min(names) for found, names in groups.items()}
    sides = shared_out({labels[g]: len(names) for g, names in groups.items()}, wanted.val, wanted.test, wanted.seed)
    return {name: sides[labels[found]] for name, found in root.items()}


def _keys(items: Sequence[Item], wanted: Wanted) -> dict[str, str]:
    """What each item must stay with."""
    if wanted.by == "coordinate":
        return _near(items, wanted)
    if wanted.by == "patch":
        _check_patches(items, wanted)
        return {item.name: item.name for item in items}
    if wanted.by == "region":
        return {item.name: item.region or item.terrain or _folder(item) for item in items}
    _require(items, wanted, [item for item in items if not item.scene], "scene")
    return {item.name: item.scene or item.name for item in items}


def _folder(item: Item) -> str:
    return item.name.split("/")[0] if "/" in item.name else ""


def _require(items: Sequence[Item], wanted: Wanted, unknown: Sequence[Item], what: str) -> None:
    instead = "region (folders count as regions)" if what == "scene" else "scene"
    if unknown and not wanted.allow_leak:
        raise RsforgeError(
            "RSF-D011",
            f"{len(unknown)} of {len(items)} items have no known {what}, and neighbours could part",
            where=f"--by {wanted.by}",
            found=f"{unknown[0].name}{', ...' if len(unknown) > 1 else ''}",
            fix=f"divide --by {instead}, or accept it with --allow-leak",
        )


def _check_patches(items: Sequence[Item], wanted: Wanted) -> None:
    """Patches may part when each is a scene of its own, or has a window that it shares with none."""
    scenes: dict[str, int] = defaultdict(int)
    for item in items:
        scenes[item.scene] += 1
    _require(items, wanted, [i for i in items if not (i.scene or i.ground)], "scene")
    _require(items, wanted, [i for i in items if not i.places and scenes[i.scene] > 1], "window")
    whole = Split("patch", 0, {side: [] for side in SIDES} | {"train": [i.name for i in items]})
    found = leaks(whole, items, (), within=True)
    if found and not wanted.allow_leak:
        first = found[0]
        raise RsforgeError(
            "RSF-D011",
            f"{len(found)} pairs of patches overlap: a split by patch would put the same pixels on both sides",
            where="--by patch",
            found=f"{first.names[0]} and {first.names[1]}: {first.reason}",
        )


def _near(items: Sequence[Item], wanted: Wanted) -> dict[str, str]:
    """Single-linkage clusters of places nearer than ``distance_km`` over the great circle."""
    _require(items, wanted, [item for item in items if item.coordinates is None], "coordinates")
    places = sorted({item.coordinates for item in items if item.coordinates})
    union = Union()
    if places:
        lon, lat = np.radians(places).T
        on_sphere = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
        chord = 2 * math.sin(min(wanted.distance_km / (2 * EARTH_KM), math.pi / 2))
        for a, b in sorted(cKDTree(on_sphere).query_pairs(chord)):
            union.join(places[a], places[b])
    return {item.name: str(union.root(item.coordinates)) if item.coordinates else item.name for item in items}


def _by_block(items: Sequence[Item], wanted: Wanted, twins: Twins) -> Sides:
    """Sides by blocks of each plane; an item whose window, grown by the guard, touches blocks of two is left out."""
    _require(items, wanted, [item for item in items if not (item.scene or item.ground)], "scene")
    _require(items, wanted, [item for item in items if not item.places], "window")
    placed = list(laid(items, wanted.guard))
    size = _block_size([window for _, _, window in placed], wanted)
    weights: dict[str, int] = defaultdict(int)
    for _, plane, window in placed:
        for block in _touched(plane, window, size):
            weights[block] += 1
    of_block = shared_out(weights, wanted.val, wanted.test, wanted.seed)
    sides = Sides()
    for name, plane, window in placed:
        touched = {of_block[b] for b in _touched(plane, window.grown(wanted.guard), size) if b in of_block}
        if len(touched) == 1:
            sides[name] = touched.pop()
    for names in twins:
        there = [name for name in names if name in sides]
        for name in there[1:]:
            if sides[name] != sides[there[0]]:
                del sides[name]
    return sides


def _block_size(windows: Sequence[Window], wanted: Wanted) -> int:
    """RSF-U005 when no block could hold a patch and its guard."""
    side = max((max(w.height, w.width) for w in windows), default=1)
    size = wanted.block_size or max(4 * side, side + wanted.guard)
    if size < side + wanted.guard:
        guarded = f" and a guard of {wanted.guard}" if wanted.guard else ""
        what, where = "a block is smaller than a patch" + (" and its guard" if wanted.guard else ""), "--block-size"
        found = f"blocks of {size} pixels for patches of {side}{guarded}"
        raise RsforgeError("RSF-U005", what, where=where, found=found, fix=f"raise {where}, four patches are usual")
    return size


def _touched(plane: str, window: Window, size: int) -> Iterable[str]:
    rows = range(window.row // size, (window.row + window.height - 1) // size + 1)
    cols = range(window.col // size, (window.col + window.width - 1) // size + 1)
    return (f"{plane} {row} {col}" for row in rows for col in cols)
