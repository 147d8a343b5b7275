"""Dividing so that neighbours stay together."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.io.windows import Window
from rsforge.data.splits.assign import divide
from rsforge.data.splits.groups import assign_groups
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import find_leaks
from rsforge.data.splits.split_file import SUBSETS, Split
from rsforge.data.splits.split_request import SplitRequest
from rsforge.errors import RsforgeError
from tests.worlds.items import cut, item, sides_of


def scenes(count: int, patches: int) -> list[Item]:
    return [item(f"s{s}/p{p}", scene=f"s{s}") for s in range(count) for p in range(patches)]


def test_scenes_stay_whole_and_shares_are_reached():
    items = scenes(20, 7)
    split = divide(items, SplitRequest("scene", val=0.2, test=0.1))
    on = sides_of(split)
    assert len(on) == 140 and split.left_out == []
    for scene in {i.scene for i in items}:
        assert len({on[i.name] for i in items if i.scene == scene}) == 1
    assert split.facts["reached"] == {"val": 0.2, "test": 0.1}
    assert find_leaks(split, items) == []


@given(seed=st.integers(0, 2**62), order=st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_order_does_not_matter_and_the_seed_does(seed, order):
    items = scenes(30, 3)
    shuffled = list(items)
    order.shuffle(shuffled)
    split = divide(items, SplitRequest("scene", seed=seed))
    assert divide(shuffled, SplitRequest("scene", seed=seed)).text() == split.text()
    assert divide(items, SplitRequest("scene", seed=seed + 1)).subsets != split.subsets


def test_uneven_scenes_get_near_the_share_and_each_side_gets_one():
    sides = assign_groups({"big": 100, "a": 10, "b": 10, "c": 10}, 0.1, 0.1, seed=1)
    assert sides["big"] == "train" and {"val", "test"} <= set(sides.values())
    assert set(assign_groups({"a": 1, "b": 50}, 0.01, 0, seed=0).items()) == {("a", "val"), ("b", "train")}


@pytest.mark.parametrize("wanted", [SplitRequest("scene"), SplitRequest("scene", val=0.5, test=0.4)])
def test_too_few_scenes_are_too_little_data(wanted):
    count = 1 if wanted.test == 0 else 2
    with pytest.raises(RsforgeError) as caught:
        divide(scenes(count, 5), wanted)
    assert caught.value.code == "RSF-D004"


def test_shares_must_leave_something():
    with pytest.raises(RsforgeError) as caught:
        divide(scenes(3, 5), SplitRequest("scene", val=0.5, test=0.5))
    assert caught.value.code == "RSF-U005"


def test_unknown_scenes_are_refused_with_the_alternatives():
    items = [item(f"agri/{k}") for k in range(9)]
    with pytest.raises(RsforgeError, match="9 of 9 items have no known scene") as caught:
        divide(items, SplitRequest("scene"))
    assert caught.value.code == "RSF-D011"
    assert "--by region" in caught.value.fix and "--allow-leak" in caught.value.fix
    split = divide(items, SplitRequest("scene", allow_leak=True))
    assert split.facts["leak"] is True and split.facts["unknown_scenes"] == 9 and split.subsets["val"]


def test_regions_are_regions_then_terrains_then_folders():
    items = [
        *(item(f"x/{k}", region="arctic") for k in range(4)),
        *(item(f"y/{k}", terrain="agri") for k in range(4)),
        *(item(f"river/{k}") for k in range(4)),
    ]
    split = divide(items, SplitRequest("region", val=0.3))
    assert [len(split.subsets[side]) for side in SUBSETS] == [8, 4, 0]
    assert len({name[0] for name in split.subsets["val"]}) == 1


def test_a_scene_of_two_regions_is_not_parted():
    items = [item(f"{r}/{k}", region=r, scene="border" if r in "ab" else r) for r in "abcd" for k in range(3)]
    for seed in range(6):
        on = sides_of(divide(items, SplitRequest("region", val=0.3, seed=seed)))
        assert on["a/0"] == on["b/0"] and len(set(on.values())) == 2


def test_near_coordinates_stay_together_across_the_date_line():
    chain = [item(f"c{k}", coordinates=(179.9 + 0.2 * k - 360 * (k > 0), 0.0)) for k in range(4)]
    far = [item(f"f{k}", coordinates=(10.0 * k, 45.0)) for k in range(8)]
    for seed in range(5):
        on = sides_of(divide([*chain, *far], SplitRequest("coordinate", val=0.3, seed=seed)))
        assert len({on[i.name] for i in chain}) == 1
        assert len({on[i.name] for i in far}) == 2
    with pytest.raises(RsforgeError) as caught:
        divide([*chain, *far], SplitRequest("coordinate", distance_km=21_000))
    assert caught.value.code == "RSF-D004"
    with pytest.raises(RsforgeError, match="1 of 13 items have no known coordinates") as caught:
        divide([*chain, *far, item("lost")], SplitRequest("coordinate"))
    assert caught.value.code == "RSF-D011"


def test_a_patch_split_of_overlapping_patches_is_refused():
    with pytest.raises(RsforgeError, match="overlap") as caught:
        divide(cut(stride=32), SplitRequest("patch"))
    assert caught.value.code == "RSF-D011" and "share 2048 pixels" in caught.value.found
    split = divide(cut(stride=32), SplitRequest("patch", allow_leak=True))
    assert split.facts["leak"] is True and split.facts["leaks"]["overlap"] > 100
    apart = divide(cut(stride=64), SplitRequest("patch"))
    assert apart.facts["leak"] is False and len(apart.subsets["val"]) == 13


def test_a_patch_split_needs_scenes_and_windows_but_photographs_may_part():
    for unknown in ([item("a/1"), item("a/2")], scenes(4, 2)):
        with pytest.raises(RsforgeError) as caught:
            divide(unknown, SplitRequest("patch"))
        assert caught.value.code == "RSF-D011"
    photographs = [item(f"{k}.png", scene=f"{k}.png") for k in range(10)]
    assert len(divide(photographs, SplitRequest("patch")).subsets["val"]) == 2


@given(
    stride=st.integers(16, 80),
    block=st.integers(40, 300),
    guard=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_sides_of_a_block_split_share_no_pixel_and_keep_the_guard(stride, block, guard, seed):
    items = cut(stride, 400, 48)
    try:
        split = divide(items, SplitRequest("block", val=0.3, seed=seed, block_size=block, guard=guard))
    except RsforgeError as error:
        assert error.code == ("RSF-D004" if block >= 48 + guard else "RSF-U005")
        return
    place = {i.name: i.window for i in items}
    for first in split.subsets["train"]:
        grown = place[first].grow(guard)
        assert not any(grown.shared_pixels(place[second]) for second in split.subsets["val"])
    everybody = [*split.left_out, *(n for names in split.subsets.values() for n in names)]
    assert sorted(everybody) == sorted(place) and split.facts["left_out"] == len(split.left_out)


def test_a_block_split_of_disjoint_patches_on_the_grid_leaves_none_out():
    split = divide(cut(64), SplitRequest("block", block_size=128))
    assert split.left_out == [] and split.facts["reached"]["val"] == 0.1875
    assert divide(cut(64), SplitRequest("block", block_size=128, guard=1)).left_out


@pytest.mark.parametrize(
    "wanted", [SplitRequest("block", block_size=63), SplitRequest("block", block_size=70, guard=7)]
)
def test_a_block_must_hold_a_patch_and_its_guard(wanted):
    with pytest.raises(RsforgeError, match="a block is smaller than a patch") as caught:
        divide(cut(64), wanted)
    assert caught.value.code == "RSF-U005"


def test_many_groups_are_shared_out_in_no_time():
    sides = assign_groups({str(k): 1 for k in range(100_000)}, 0.45, 0.45, seed=0)
    assert [list(sides.values()).count(side) for side in SUBSETS] == [10_000, 45_000, 45_000]


def test_a_block_split_needs_windows():
    with pytest.raises(RsforgeError, match="6 of 6 items have no known window") as caught:
        divide(scenes(2, 3), SplitRequest("block"))
    assert caught.value.code == "RSF-D011"


@pytest.mark.parametrize("by", ["scene", "patch", "block"])
def test_twins_never_part(by):
    items = [*cut(64, scene="s"), *cut(64, scene="t"), *cut(64, scene="u"), *cut(64, scene="v")]
    named = sorted(i.name for i in items)
    order = random.Random(4)
    twins = [order.sample(named, 2) for _ in range(1 if by == "scene" else 12)]
    split = divide(items, SplitRequest(by, val=0.3), duplicates=twins)
    on = sides_of(split)
    for a, b in twins:
        assert a not in on or b not in on or on[a] == on[b]
    assert find_leaks(split, items, twins) == []


def test_leaks_are_named_with_their_reason():
    items = [replace(i, scene="s") for i in cut(32, 96)]
    names = [i.name for i in items]
    split = Split("hand", 0, {"train": names[:1], "val": names[1:], "test": []})
    found = find_leaks(split, items, [[names[0], names[3]]])
    assert [leak.kind for leak in found] == ["content", "overlap", "overlap", "overlap"]
    assert found[1].subsets == ("train", "val") and "share 2048 pixels" in found[1].reason
    unplaced = [replace(i, window=None) for i in items]
    assert [leak.kind for leak in find_leaks(split, unplaced)] == ["scene"]
    near = [item("a", scene="s", window=Window(0, 0, 8, 8)), item("b", scene="s", window=Window(0, 10, 8, 8))]
    parted = Split("hand", 0, {"train": ["a"], "val": ["b"], "test": []})
    assert find_leaks(parted, near, guard=2) == []
    assert "nearer than the guard" in find_leaks(parted, near, guard=3)[0].reason
