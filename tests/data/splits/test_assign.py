"""Dividing so that neighbours stay together."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.splits.assign import divide
from rsforge.data.splits.leaks import find_leaks
from rsforge.data.splits.split_request import SplitRequest
from rsforge.errors import RsforgeError
from tests.worlds.items import cut, item, scene_items, subsets_of


def test_scenes_stay_whole_and_shares_are_reached():
    items = scene_items(20, 7)
    split = divide(items, SplitRequest("scene", val=0.2, test=0.1))
    on = subsets_of(split)
    assert len(on) == 140 and split.left_out == []
    for scene in {i.scene for i in items}:
        assert len({on[i.name] for i in items if i.scene == scene}) == 1
    assert split.facts["reached"] == {"val": 0.2, "test": 0.1}
    assert find_leaks(split, items) == []


@given(seed=st.integers(0, 2**62), order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_does_not_matter_and_the_seed_does(seed, order):
    items = scene_items(30, 3)
    shuffled = list(items)
    order.shuffle(shuffled)
    split = divide(items, SplitRequest("scene", seed=seed))
    assert divide(shuffled, SplitRequest("scene", seed=seed)).text() == split.text()
    assert divide(items, SplitRequest("scene", seed=seed + 1)).subsets != split.subsets


@pytest.mark.parametrize("split_request", [SplitRequest("scene"), SplitRequest("scene", val=0.5, test=0.4)])
def test_too_few_scenes_are_too_little_data(split_request):
    count = 1 if split_request.test == 0 else 2
    with pytest.raises(RsforgeError) as caught:
        divide(scene_items(count, 5), split_request)
    assert caught.value.code == "RSF-D004"


def test_unknown_scenes_are_refused_with_the_alternatives():
    items = [item(f"{folder}/{k}") for folder in ("agri", "coast", "urban") for k in range(3)]
    with pytest.raises(RsforgeError, match="9 of 9 items have no known scene") as caught:
        divide(items, SplitRequest("scene"))
    assert caught.value.code == "RSF-D011"
    assert "--by region" in caught.value.fix and "--allow-leak" in caught.value.fix
    assert divide(items, SplitRequest("region")).subsets["val"]
    with pytest.raises(RsforgeError) as caught:
        divide(items[:3], SplitRequest("scene"))
    assert caught.value.fix == "accept it with --allow-leak"  # one folder is one region: it cannot be divided either
    split = divide(items, SplitRequest("scene", allow_leak=True))
    assert split.facts["leak"] is True and split.facts["unknown_scenes"] == 9 and split.subsets["val"]


@pytest.mark.parametrize("by", ["scene", "patch", "block"])
def test_duplicates_never_part(by):
    items = [*cut(64, scene="s"), *cut(64, scene="t"), *cut(64, scene="u"), *cut(64, scene="v")]
    named = sorted(i.name for i in items)
    order = random.Random(4)
    duplicates = [order.sample(named, 2) for _ in range(1 if by == "scene" else 12)]
    split = divide(items, SplitRequest(by, val=0.3), duplicates=duplicates)
    on = subsets_of(split)
    for a, b in duplicates:
        assert a not in on or b not in on or on[a] == on[b]
    assert find_leaks(split, items, duplicates) == []


def test_stated_sides_are_kept_whatever_they_leak():
    items = [item(str(k), scene="s", side=side) for k, side in enumerate(("train", "train", "val", "test", ""))]
    split = divide(items, SplitRequest("stated"), duplicates=[["0", "2"]])
    assert split.subsets == {"train": ["0", "1"], "val": ["2"], "test": ["3"]} and split.left_out == ["4"]
    assert split.facts["leak"] is True and split.facts["leaks"]["content"] == 1 and split.by == "stated"
    apart = [replace(one, scene=one.name) for one in items[:4]]
    assert divide(apart, SplitRequest("stated")).facts["leak"] is False
    for sides in (["train", "train"], ["", ""], ["val", "test"]):
        with pytest.raises(RsforgeError, match="states no sides") as caught:
            divide([item(str(k), side=side) for k, side in enumerate(sides)], SplitRequest("stated"))
        assert caught.value.code == "RSF-D004"
