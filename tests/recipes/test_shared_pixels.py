"""The search for shared pixels, and its one line."""

from __future__ import annotations

import pytest

from rsforge.data.splits.items import Item
from rsforge.recipes.shared_pixels import search_shared_pixels, summarise_shared_pixels
from tests.worlds.consoles import RecordingConsole
from tests.worlds.cut_patches import write_overlapping_pairs


@pytest.fixture
def items(tmp_path) -> list[Item]:
    write_overlapping_pairs(tmp_path, groups=2)
    return [Item(path.name, (path,)) for path in sorted((tmp_path / "agri" / "s2").iterdir())]


def search(items, **options):
    console = RecordingConsole()
    return search_shared_pixels(items, {item.name: (item.name,) for item in items}, console, **options), console


def test_what_is_found_is_said_in_one_line(items):
    shared, console = search(items, wanted=True)
    assert summarise_shared_pixels(shared) == {"pairs": 2, "items": 4, "groups": 2}
    assert console.has_line("overlap    4 of 4 share pixels, by what they show: 2 groups that stay together (")
    nothing, console = search(items[:2], wanted=True)
    assert nothing == [] and console.has_line("overlap    no two of 2 share pixels, by what they show (")


def test_nothing_is_searched_that_is_not_wanted(items):
    rows = [Item(f"a.h5#{k}", items[0].paths, row=k) for k in range(3)]
    for some, wanted in ((items, False), (items[:1], True), (rows, True)):
        shared, console = search(some, wanted=wanted)
        assert shared == [] and not console.has_line("overlap")
