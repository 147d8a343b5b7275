"""Scenes that show the same ground."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsforge.data.io.georeference import Footprint
from rsforge.data.splits.assign import divide
from rsforge.data.splits.items import Item
from rsforge.data.splits.leaks import find_leaks
from rsforge.data.splits.overlap import DisjointSet, find_shared_ground, plane_windows
from rsforge.data.splits.split_file import Split
from rsforge.data.splits.split_request import SplitRequest
from rsforge.errors import RsforgeError
from tests.worlds.items import cut, subsets_of


def on_ground(name: str, row: int, col: int, extent: int = 256, **facts) -> list[Item]:
    """Patches of a georeferenced scene whose first pixel lies at (row, col) of a plane."""
    cuts = cut(64, extent, scene=name)
    grounds = [i.window._replace(row=i.window.row + row, col=i.window.col + col) for i in cuts]
    plane = "EPSG:32632 at 10 x 10"
    return [replace(i, footprint=Footprint(plane, w), **facts) for i, w in zip(cuts, grounds, strict=True)]


def test_scenes_over_the_same_ground_stay_together():
    items = [*on_ground("a", 7, 0), *on_ground("b", 7, 128), *on_ground("c", 7, 1000), *on_ground("d", 7, 1256)]
    for seed in range(6):
        on = subsets_of(divide(items, SplitRequest("scene", val=0.3, seed=seed)))
        assert on["a/0_0"] == on["b/0_0"] and {on["c/0_0"], on["d/0_0"], on["a/0_0"]} == {"train", "val"}
    parted = Split("hand", 0, {"train": [i.name for i in items if i.scene != "b"],
                               "val": [i.name for i in items if i.scene == "b"], "test": []})  # fmt: skip
    found = find_leaks(parted, items)
    assert len(found) == 8 and {leak.names[1] for leak in found} <= set(parted.subsets["val"])
    assert "share 4096 pixels" in found[0].reason
    with pytest.raises(RsforgeError, match="8 pairs of patches overlap") as caught:
        divide(items, SplitRequest("patch"))
    assert caught.value.code == "RSF-D011"


@pytest.mark.parametrize("known", [{}, {"scene": "", "window": None}])
def test_blocks_are_laid_on_the_ground_that_scenes_share(known):
    items = [*on_ground("a", 1001, 77, 512, **known), *on_ground("b", 1001, 77 + 256, 512, **known)]
    for seed in range(4):
        split = divide(items, SplitRequest("block", val=0.3, block_size=128, seed=seed))
        assert split.left_out == [] and find_leaks(split, items) == [] and split.subsets["val"]


def test_patches_nearer_than_the_guard_share_a_plane():
    items = [*on_ground("a", 0, 0, 64), *on_ground("b", 0, 70, 64), *on_ground("far", 0, 900, 64)]
    assert list(find_shared_ground(items)) == [] and len(list(find_shared_ground(items, guard=7))) == 1
    planes = {name: plane for name, plane, _ in plane_windows(items, 7)}
    assert planes == {"a/0_0": "a", "b/0_0": "a", "far/0_0": "far"}
    columns = [window.col for _, _, window in plane_windows(items, 7)]
    assert columns == [0, 70, 0]


def test_scenes_nearer_than_the_guard_are_refused_unless_leaks_are_allowed():
    items = [*on_ground("a", 0, 0, 64), *on_ground("b", 0, 70, 64)]
    with pytest.raises(RsforgeError, match="neighbours in different subsets") as caught:
        divide(items, SplitRequest("scene", val=0.5, guard=7))
    assert caught.value.code == "RSF-D011" and "nearer than the guard" in caught.value.found
    assert divide(items, SplitRequest("scene", val=0.5, guard=7, allow_leak=True)).facts["leaks"] == {"overlap": 1}
    assert divide(items, SplitRequest("scene", val=0.5, guard=6)).subsets["val"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=15), st.randoms(use_true_random=False))
def test_joined_members_have_one_root_whatever_the_order(joins, order):
    sets = DisjointSet()
    reached = {k: {k} for k in range(10)}
    for one, other in joins:
        sets.join(one, other)
        together = reached[one] | reached[other]
        reached |= dict.fromkeys(together, together)
    shuffled = list(joins)
    order.shuffle(shuffled)
    again = DisjointSet()
    for one, other in shuffled:
        again.join(other, one)
    assert all(sets.find_root(k) == again.find_root(k) == min(reached[k]) for k in range(10))
