"""Whole groups, such as scenes, regions and places, come into one subset."""

from __future__ import annotations

import pytest

from rsforge.data.splits.assign import divide
from rsforge.data.splits.groups import assign_groups
from rsforge.data.splits.split_file import SUBSETS
from rsforge.data.splits.split_request import SplitRequest
from rsforge.errors import RsforgeError
from tests.worlds.items import cut, item, scene_items, subsets_of


def test_uneven_scenes_get_near_the_share_and_each_subset_gets_one():
    subsets = assign_groups({"big": 100, "a": 10, "b": 10, "c": 10}, 0.1, 0.1, seed=1)
    assert subsets["big"] == "train" and {"val", "test"} <= set(subsets.values())
    assert set(assign_groups({"a": 1, "b": 50}, 0.01, 0, seed=0).items()) == {("a", "val"), ("b", "train")}


def test_regions_are_regions_then_terrains_then_folders():
    items = [
        *(item(f"x/{k}", region="arctic") for k in range(4)),
        *(item(f"y/{k}", terrain="agri") for k in range(4)),
        *(item(f"river/{k}") for k in range(4)),
    ]
    split = divide(items, SplitRequest("region", val=0.3))
    assert [len(split.subsets[subset]) for subset in SUBSETS] == [8, 4, 0]
    assert len({name[0] for name in split.subsets["val"]}) == 1


def test_a_scene_of_two_regions_is_not_parted():
    items = [item(f"{r}/{k}", region=r, scene="border" if r in "ab" else r) for r in "abcd" for k in range(3)]
    for seed in range(6):
        on = subsets_of(divide(items, SplitRequest("region", val=0.3, seed=seed)))
        assert on["a/0"] == on["b/0"] and len(set(on.values())) == 2


def test_near_coordinates_stay_together_across_the_date_line():
    chain = [item(f"c{k}", coordinates=(179.9 + 0.2 * k - 360 * (k > 0), 0.0)) for k in range(4)]
    far = [item(f"f{k}", coordinates=(10.0 * k, 45.0)) for k in range(8)]
    for seed in range(5):
        on = subsets_of(divide([*chain, *far], SplitRequest("coordinate", val=0.3, seed=seed)))
        assert len({on[i.name] for i in chain}) == 1
        assert len({on[i.name] for i in far}) == 2
    with pytest.raises(RsforgeError) as caught:
        divide([*chain, *far], SplitRequest("coordinate", distance_km=21_000))
    assert caught.value.code == "RSF-D004"
    with pytest.raises(RsforgeError, match="1 of 13 items has no known coordinates") as caught:
        divide([*chain, *far, item("lost")], SplitRequest("coordinate"))
    assert caught.value.code == "RSF-D011"


def test_a_degree_of_longitude_is_short_near_a_pole():
    chain = [item(f"c{k}", coordinates=(1.0 * k, 80.0)) for k in range(4)]  # 19 km apart
    far = [item(f"f{k}", coordinates=(10.0 * k, 45.0)) for k in range(8)]
    for seed in range(5):
        on = subsets_of(divide([*chain, *far], SplitRequest("coordinate", val=0.3, seed=seed)))
        assert len({on[i.name] for i in chain}) == 1


def test_a_patch_split_of_overlapping_patches_is_refused():
    with pytest.raises(RsforgeError, match="overlap") as caught:
        divide(cut(stride=32), SplitRequest("patch"))
    assert caught.value.code == "RSF-D011" and "share 2048 pixels" in caught.value.found
    split = divide(cut(stride=32), SplitRequest("patch", allow_leak=True))
    assert split.facts["leak"] is True and split.facts["leaks"]["overlap"] > 100
    apart = divide(cut(stride=64), SplitRequest("patch"))
    assert apart.facts["leak"] is False and len(apart.subsets["val"]) == 13


def test_a_patch_split_needs_scenes_and_windows_but_photographs_may_part():
    for unknown in ([item("a/1"), item("a/2")], scene_items(4, 2)):
        with pytest.raises(RsforgeError) as caught:
            divide(unknown, SplitRequest("patch"))
        assert caught.value.code == "RSF-D011"
    photographs = [item(f"{k}.png", scene=f"{k}.png") for k in range(10)]
    assert len(divide(photographs, SplitRequest("patch")).subsets["val"]) == 2


def test_many_groups_are_assigned_in_no_time():
    subsets = assign_groups({str(k): 1 for k in range(100_000)}, 0.45, 0.45, seed=0)
    assert [list(subsets.values()).count(subset) for subset in SUBSETS] == [10_000, 45_000, 45_000]
