"""Splits by groups of items that must stay together: scenes, regions, clusters of coordinates, single patches."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import find_leaks
from rsforge.data.splits.overlap import DisjointSet, find_shared_ground
from rsforge.data.splits.split_file import SUBSETS, Split
from rsforge.data.splits.split_request import DuplicateGroups, SplitRequest, SubsetOf, region_of, require_known
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from rsforge.wording import agree, count_noun

EARTH_KM = 6371.0088  # mean radius, IUGG


def assign_groups(weights: Mapping[str, int], val: float, test: float, seed: int) -> SubsetOf:
    """The subset of each group, given the number of items in each.

    Groups come in a random order that depends on ``seed`` and their names. ``test`` and then ``val`` take a group
    whenever that brings their number of items nearer to the share asked for. Each of them gets at least one group where
    there are enough; ``train`` keeps at least one.
    """
    remaining = sorted(weights, key=lambda key: (derive(seed, "split", key), key))
    total = sum(weights.values())
    subset_of: SubsetOf = {}
    for subset, share in (("test", test), ("val", val)):
        if share > 0:
            chosen = choose_groups(remaining, weights, total * share)
            subset_of |= dict.fromkeys(chosen, subset)
            remaining = [key for key in remaining if key not in chosen]
    return subset_of | dict.fromkeys(remaining, "train")


def choose_groups(groups: Sequence[str], weights: Mapping[str, int], goal: float) -> set[str]:
    """Groups that together hold about ``goal`` items; at least one, and never all of several."""
    chosen: set[str] = set()
    count = 0
    for key in groups:
        is_nearer = abs(count + weights[key] - goal) < abs(count - goal)
        if is_nearer and len(chosen) < len(groups) - 1:
            chosen.add(key)
            count += weights[key]
    if not chosen and len(groups) > 1:
        chosen.add(min(groups, key=lambda key: weights[key]))
    return chosen


def divide_by_group(items: Sequence[Item], request: SplitRequest, duplicates: DuplicateGroups) -> SubsetOf:
    """The subset of every item: items with a common key, scene, file, pixels or ground are joined into one group.

    Joining is transitive: two regions that share one scene, or two scenes that share one file, end up in one group. For
    ``by="patch"`` only common files and pixels join.
    """
    keys = _group_keys(items, request)
    sets = DisjointSet()
    for item in items:
        sets.join(("item", item.name), ("key", keys[item.name]))
        if item.scene and request.by != "patch":
            sets.join(("item", item.name), ("scene", item.scene))
    for names in duplicates:
        for name in names[1:]:
            sets.join(("item", names[0]), ("item", name))
    if request.by != "patch":
        for one, other in find_shared_ground(items):
            sets.join(("item", one.name), ("item", other.name))
    groups: dict[Any, list[str]] = defaultdict(list)
    for item in items:
        groups[sets.find_root(("item", item.name))].append(item.name)
    # A group is named by its first item, so that the order of joining does not matter.
    members = {min(names): names for names in groups.values()}
    sizes = {label: len(names) for label, names in members.items()}
    subset_of = assign_groups(sizes, request.val, request.test, request.seed)
    return {name: subset_of[label] for label, names in members.items() for name in names}


def _group_keys(items: Sequence[Item], request: SplitRequest) -> dict[str, str]:
    """By item, the name of what it must stay together with."""
    if request.by == "coordinate":
        return _cluster_by_distance(items, request)
    if request.by == "patch":
        _check_patches(items, request)
        return {item.name: item.name for item in items}
    if request.by == "region":
        return {item.name: region_of(item) for item in items}
    require_known(items, request, [item for item in items if not item.scene], "scene")
    return {item.name: item.scene or item.name for item in items}


def _check_patches(items: Sequence[Item], request: SplitRequest) -> None:
    """RSF-D011 unless every patch is a scene of its own, or has a window that overlaps no other."""
    sizes: dict[str, int] = defaultdict(int)
    for item in items:
        sizes[item.scene] += 1
    require_known(items, request, [i for i in items if not (i.scene or i.footprint)], "scene")
    require_known(items, request, [i for i in items if not i.windows_by_plane and sizes[i.scene] > 1], "window")
    in_one_subset: dict[str, list[str]] = {subset: [] for subset in SUBSETS}
    in_one_subset["train"] = [item.name for item in items]
    leaks = find_leaks(Split("patch", 0, in_one_subset), items, (), within=True)
    if leaks and not request.allow_leak:
        leak = leaks[0]
        pairs = f"{count_noun(len(leaks), 'pair')} of patches {agree(len(leaks), 'overlaps', 'overlap')}"
        raise RsforgeError(
            "RSF-D011",
            f"{pairs}: a split by patch would put the same pixels in different subsets",
            where="--by patch",
            found=f"{leak.names[0]} and {leak.names[1]}: {leak.reason}",
        )


def _cluster_by_distance(items: Sequence[Item], request: SplitRequest) -> dict[str, str]:
    """Single-linkage clusters of places nearer than ``distance_km`` on the great circle.

    Points on the unit sphere are compared by the length of their chord, ``2 sin(d / 2R)`` for a distance ``d`` on a
    sphere of radius R, with a k-d tree: no meridian and no pole is special.
    """
    require_known(items, request, [item for item in items if item.coordinates is None], "coordinates")
    places = sorted({item.coordinates for item in items if item.coordinates})
    sets = DisjointSet()
    if places:
        lon, lat = np.radians(places).T
        points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
        chord = 2 * math.sin(min(request.distance_km / (2 * EARTH_KM), math.pi / 2))
        for a, b in sorted(cKDTree(points).query_pairs(chord)):
            sets.join(places[a], places[b])
    return {item.name: str(sets.find_root(item.coordinates)) if item.coordinates else item.name for item in items}
