"""What a split may be asked for."""

from __future__ import annotations

import pytest

from rsforge.data.splits.assign import divide
from rsforge.data.splits.split_request import SplitRequest, require_known
from rsforge.errors import RsforgeError
from tests.worlds.items import scene_items


def test_shares_must_leave_something():
    with pytest.raises(RsforgeError) as caught:
        divide(scene_items(3, 5), SplitRequest("scene", val=0.5, test=0.5))
    assert caught.value.code == "RSF-U005"


@pytest.mark.parametrize(("what", "instead"), [("scene", "--by region"), ("window", "--by scene")])
def test_items_without_what_a_split_goes_by_are_named_with_another_way(what, instead):
    items = scene_items(2, 3)
    request = SplitRequest("scene")
    require_known(items, request, [], what)
    require_known(items, SplitRequest("scene", allow_leak=True), items, what)
    with pytest.raises(RsforgeError, match=f"2 of 6 items have no known {what}") as caught:
        require_known(items, request, items[:2], what)
    assert caught.value.code == "RSF-D011" and caught.value.found == "s0/p0, ..." and instead in caught.value.fix
