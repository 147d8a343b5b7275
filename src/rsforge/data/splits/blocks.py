"""Splits by square blocks of pixels, for patches of few scenes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rsforge.data.io.windows import Window
from rsforge.data.splits.groups import assign_groups
from rsforge.data.splits.items import Item
from rsforge.data.splits.overlap import plane_windows
from rsforge.data.splits.split_request import DuplicateGroups, SplitRequest, SubsetOf, require_known
from rsforge.errors import RsforgeError


def divide_by_block(items: Sequence[Item], request: SplitRequest, duplicates: DuplicateGroups) -> SubsetOf:
    """The subset of every item that lies in blocks of one subset; items between two subsets are left out.

    Each plane (a scene, or ground that scenes share) is cut into square blocks, and blocks are assigned to subsets,
    weighted by the number of windows that touch them. An item belongs to the subset of the blocks that its window,
    grown by the guard, touches; blocks without any window count for none. Two windows of different subsets are
    therefore at least ``guard`` pixels apart. Of duplicates, and of items that share
    pixels, in different subsets all but the first are left out.
    """
    require_known(items, request, [item for item in items if not (item.scene or item.footprint)], "scene")
    require_known(items, request, [item for item in items if not item.windows_by_plane], "window")
    placed = list(plane_windows(items, request.guard))
    size = _choose_block_size([window for _, _, window in placed], request)
    weights: dict[str, int] = defaultdict(int)
    for _, plane, window in placed:
        for block in _touched_blocks(plane, window, size):
            weights[block] += 1
    subset_of_block = assign_groups(weights, request.val, request.test, request.seed)
    subset_of: SubsetOf = {}
    for name, plane, window in placed:
        blocks = _touched_blocks(plane, window.grow(request.guard), size)
        touched = {subset_of_block[block] for block in blocks if block in subset_of_block}
        if len(touched) == 1:
            subset_of[name] = touched.pop()
    _drop_parted_duplicates(subset_of, duplicates)
    return subset_of


def _drop_parted_duplicates(subset_of: SubsetOf, duplicates: DuplicateGroups) -> None:
    for names in duplicates:
        present = [name for name in names if name in subset_of]
        for name in present[1:]:
            if subset_of[name] != subset_of[present[0]]:
                del subset_of[name]


def _choose_block_size(windows: Sequence[Window], request: SplitRequest) -> int:
    """The size of a block in pixels, four patches by default; RSF-U005 when it cannot hold a patch and its guard."""
    patch = max((max(window.height, window.width) for window in windows), default=1)
    size = request.block_size or max(4 * patch, patch + request.guard)
    if size >= patch + request.guard:
        return size
    what = "a block is smaller than a patch"
    found = f"blocks of {size} pixels for patches of {patch}"
    if request.guard:
        what = f"{what} and its guard"
        found = f"{found} and a guard of {request.guard}"
    fix = "raise --block-size, four patches are usual"
    raise RsforgeError("RSF-U005", what, where="--block-size", found=found, fix=fix)


def _touched_blocks(plane: str, window: Window, size: int) -> Iterable[str]:
    rows = range(window.row // size, (window.row + window.height - 1) // size + 1)
    cols = range(window.col // size, (window.col + window.width - 1) // size + 1)
    return (f"{plane} {row} {col}" for row in rows for col in cols)
