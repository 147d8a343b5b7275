"""Splits by blocks of pixels."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.splits.assign import divide
from rsforge.data.splits.items import SharedPixels
from rsforge.data.splits.split_request import SplitRequest
from rsforge.errors import RsforgeError
from tests.worlds.items import cut, scene_items


@given(
    stride=st.integers(16, 80),
    block=st.integers(40, 300),
    guard=st.integers(0, 40),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_subsets_of_a_block_split_share_no_pixel_and_keep_the_guard(stride, block, guard, seed):
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
    "split_request", [SplitRequest("block", block_size=63), SplitRequest("block", block_size=70, guard=7)]
)
def test_a_block_must_hold_a_patch_and_its_guard(split_request):
    with pytest.raises(RsforgeError, match="a block is smaller than a patch") as caught:
        divide(cut(64), split_request)
    assert caught.value.code == "RSF-U005"


def test_a_block_split_needs_windows():
    with pytest.raises(RsforgeError, match="6 of 6 items have no known window") as caught:
        divide(scene_items(2, 3), SplitRequest("block"))
    assert caught.value.code == "RSF-D011"


def test_of_parted_patches_that_share_pixels_the_later_is_left_out():
    items = cut(64)
    request = SplitRequest("block", block_size=128)
    subsets = divide(items, request).subsets
    one, other = sorted((subsets["train"][0], subsets["val"][0]))
    shared = [SharedPixels((one, other), 0.3, (10, 20), 1.0)]
    split = divide(items, request, shared=shared)
    assert split.left_out == [other] and split.facts["left_out"] == 1
    both = [SharedPixels((subsets["train"][0], subsets["train"][1]), 0.3, (10, 20), 1.0)]
    assert divide(items, request, shared=both).left_out == []
