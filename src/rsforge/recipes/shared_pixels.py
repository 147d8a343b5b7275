"""The search for items that share pixels, with a report of what it found and how long it took."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.shared_pixels import find_shared_pixels, list_groups
from rsforge.recipes.console import Console
from rsforge.wording import agree, count_noun


def search_shared_pixels(
    items: Sequence[Item],
    digests: Mapping[str, Sequence[str]],
    console: Console,
    *,
    wanted: bool,
    every_file: bool = False,
) -> list[SharedPixels]:
    """What ``find_shared_pixels`` finds, after one line that says it; nothing unless the search is ``wanted``.

    Rows of HDF5 files are not searched, so that a set of them alone is not mentioned.
    """
    searched = [item for item in items if item.row is None]
    if not wanted or len(searched) < 2:
        return []
    start = time.perf_counter()
    with console.progress("compared", len(searched) * (len(searched[0].paths) if every_file else 1)) as meter:
        shared = find_shared_pixels(searched, digests, meter.step, every_file=every_file)
    told = "" if not any(item.windows_by_plane for item in searched) else ", beside what windows say"
    console.say(f"overlap    {_describe(shared, len(searched))}{told} ({time.perf_counter() - start:.1f} s)")
    return shared


def summarise_shared_pixels(shared: Sequence[SharedPixels]) -> dict[str, int]:
    """The number of pairs of items that share pixels, of items in them, and of groups that hang together."""
    groups = list_groups(shared)
    return {"pairs": len(shared), "items": sum(map(len, groups)), "groups": len(groups)}


def _describe(shared: Sequence[SharedPixels], count: int) -> str:
    if not shared:
        return f"no two of {count} share pixels, by what they show"
    found = summarise_shared_pixels(shared)
    some = f"{found['items']} of {count} share pixels, by what they show"
    return f"{some}: {count_noun(found['groups'], 'group')} that {agree(found['groups'], 'stays', 'stay')} together"
