"""What is known of an item, and of the contents of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.io.georeference import Footprint
from rsforge.data.io.windows import Window
from rsforge.data.pairs.pair import Pair
from rsforge.data.splits.items import DatasetContents, Item, item_of_pair

FOOTPRINT = Footprint("EPSG:32632 at 10 x 10", Window(5, 6, 8, 8))


def test_an_item_lies_in_its_scene_then_on_the_ground():
    window = Window(0, 0, 8, 8)
    assert Item("a", (), "s", window, footprint=FOOTPRINT).windows_by_plane == {
        "s": window,
        FOOTPRINT.plane: FOOTPRINT.window,
    }
    assert list(Item("a", (), "s", footprint=FOOTPRINT).windows_by_plane) == [FOOTPRINT.plane]
    assert Item("a", (), "", window).windows_by_plane == {}


def test_a_pair_is_an_item_of_two_files():
    pair = Pair("a", Path("s1"), Path("s2"), "s", Window(0, 0, 8, 8), "agri", "r", "fall", "IT", (1.0, 2.0), FOOTPRINT)
    item = item_of_pair(pair)
    assert item.paths == (Path("s1"), Path("s2")) and item.row is None
    for name in ("name", "scene", "window", "terrain", "region", "season", "country", "coordinates", "footprint"):
        assert getattr(item, name) == getattr(pair, name)


@pytest.mark.parametrize(
    ("kind", "modalities"),
    [("pairs", ("sar", "optical")), ("patches", ("patch",)), ("tiles", ("image",)), ("captions", ("image",))],
)
def test_the_files_of_an_item_follow_from_the_kind(kind, modalities):
    assert DatasetContents(Path(), kind, []).modalities == modalities
