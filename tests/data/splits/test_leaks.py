"""Copies and overlaps of items of different subsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.io.windows import Window
from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.leaks import find_leaks, find_overlaps
from rsforge.data.splits.split_file import Split
from tests.worlds.items import cut, item


def split_of(items: list[Item]) -> Split:
    """The first item in one subset, and the rest in another."""
    first, *rest = (i.name for i in items)
    return Split("hand", 0, {"train": [first], "val": rest, "test": []})


def test_leaks_are_named_with_their_reason():
    items = [replace(i, scene="s") for i in cut(32, 96)]
    names, split = [i.name for i in items], split_of(items)
    found = find_leaks(split, items, [[names[0], names[3]]])
    assert [leak.kind for leak in found] == ["content", "overlap", "overlap", "overlap"]
    assert found[1].subsets == ("train", "val") and "share 2048 pixels" in found[1].reason
    unplaced = [replace(i, window=None) for i in items]
    assert [leak.kind for leak in find_leaks(split, unplaced)] == ["scene"]
    apart = [replace(i, scene="s") for i in cut(64, 128)]
    assert find_leaks(split_of(apart), apart) == []
    lost = [*apart[:-1], replace(apart[-1], window=None)]
    assert [leak.kind for leak in find_leaks(split_of(lost), lost)] == ["scene"]
    near = [item("a", scene="s", window=Window(0, 0, 8, 8)), item("b", scene="s", window=Window(0, 10, 8, 8))]
    parted = Split("hand", 0, {"train": ["a"], "val": ["b"], "test": []})
    assert find_leaks(parted, near, guard=2) == []
    assert "nearer than the guard" in find_leaks(parted, near, guard=3)[0].reason


@given(seed=st.integers(0, 10_000), guard=st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_every_meeting_is_found_once(seed, guard):
    rng = np.random.default_rng(seed)
    drawn = [Window(*map(int, (*rng.integers(-200, 200, 2), *rng.integers(1, 60, 2)))) for _ in range(40)]
    items = [Item(str(k), (), scene="s", window=window) for k, window in enumerate(drawn)]
    found = sorted(tuple(sorted((one, other))) for one, other, _ in find_overlaps(items, guard))
    near = [(a, b) for a in items for b in items if a.name < b.name and a.window.grow(guard).shared_pixels(b.window)]
    assert found == sorted((a.name, b.name) for a, b in near)


def test_shared_pixels_leak_between_subsets_alone():
    items = [item(name, scene=name) for name in "abc"]
    shared = [SharedPixels(("a", "b"), 0.5, (0, 32), 1.0), SharedPixels(("b", "c"), 0.25, (32, 32), 1.0)]
    (leak,) = find_leaks(split_of(items), items, shared=[*shared, SharedPixels(("a", "x"), 1.0, (0, 0), 1.0)])
    assert (leak.kind, leak.names, leak.subsets) == ("overlap", ("a", "b"), ("train", "val"))
    assert leak.reason == "50% of their pixels are the same, 0 rows and 32 columns apart"
