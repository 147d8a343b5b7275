"""The split of a data set: a pure function of names, places and a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rsforge.data.splits.blocks import divide_by_block
from rsforge.data.splits.groups import divide_by_group
from rsforge.data.splits.items import Item, SharedPixels
from rsforge.data.splits.leaks import Leak, find_leaks
from rsforge.data.splits.split_file import SUBSETS, Split
from rsforge.data.splits.split_request import DuplicateGroups, SplitRequest, suggest_within
from rsforge.errors import RsforgeError


def divide(
    items: Sequence[Item],
    request: SplitRequest,
    *,
    duplicates: DuplicateGroups = (),
    shared: Sequence[SharedPixels] = (),
    facts: Mapping[str, Any] | None = None,
) -> Split:
    """The split of ``items``, the same whatever their order; ``duplicates`` and ``shared`` pixels must stay together.

    RSF-D011 when it would leak, or when what it goes by is unknown, unless ``allow_leak``; RSF-D004 when a subset is
    empty; RSF-U005 for blocks smaller than a patch. A division that the source states (``by`` stated) is kept whatever
    it leaks, and its facts say so; RSF-D004 where the source states none.
    """
    items = sorted(items, key=_name_of)
    together = [*duplicates, *(one.names for one in shared)]
    if request.by == "stated":
        subset_of = {item.name: item.side for item in items if item.side}
        _check_stated(items)
        request = replace(request, allow_leak=True, val=0.0, test=0.0)
    elif request.by == "block":
        subset_of = divide_by_block(items, request, together)
    else:
        subset_of = divide_by_group(items, request, together)
    members = {subset: sorted(name for name, own in subset_of.items() if own == subset) for subset in SUBSETS}
    left_out = sorted(item.name for item in items if item.name not in subset_of)
    all_facts = {**_describe_split(request, members, left_out), **(facts or {})}
    split = Split(request.by, request.seed, members, left_out, all_facts)
    _check_subsets(split, request, items)
    leaks = find_leaks(split, items, duplicates, shared=shared, guard=request.guard)
    if leaks and not request.allow_leak:
        raise _leak_error(request, leaks)
    if request.allow_leak:
        kinds = sorted({leak.kind for leak in leaks})
        counts = {kind: sum(leak.kind == kind for leak in leaks) for kind in kinds}
        unknown = sum(not item.scene for item in items) if request.by != "stated" else 0
        split.facts.update(leak=bool(leaks or unknown), leaks=counts, unknown_scenes=unknown)
    return split


def _check_stated(items: Sequence[Item]) -> None:
    if len({item.side for item in items if item.side}) > 1 and any(item.side == "train" for item in items):
        return
    what = "the source states no sides: no column split, and no folders such as train and test"
    raise RsforgeError("RSF-D004", what, where="--by stated", fix="divide it by `rsforge data split --by scene`")


def _name_of(item: Item) -> str:
    return item.name


def _describe_split(
    request: SplitRequest, members: Mapping[str, Sequence[str]], left_out: Sequence[str]
) -> dict[str, Any]:
    total = max(sum(map(len, members.values())), 1)
    facts: dict[str, Any] = {
        "asked": {"val": request.val, "test": request.test},
        "reached": {subset: round(len(members[subset]) / total, 4) for subset in ("val", "test")},
        "leak": False,
    }
    if request.by == "block":
        facts |= {"guard": request.guard, "left_out": len(left_out)}
    if request.by == "coordinate":
        facts |= {"distance_km": request.distance_km}
    return facts


def _check_subsets(split: Split, request: SplitRequest, items: Sequence[Item]) -> None:
    """RSF-D004 when a subset that was asked for is empty."""
    asked = {"train": True, "val": request.val > 0, "test": request.test > 0}
    empty = [subset for subset in SUBSETS if asked[subset] and not split.subsets[subset]]
    if not empty:
        return
    found = ", ".join(f"{len(split.subsets[subset])} {subset}" for subset in SUBSETS)
    if split.left_out:
        found += f", {len(split.left_out)} left out"
    raise RsforgeError(
        "RSF-D004",
        f"dividing by {request.by} leaves nothing for {' and '.join(empty)}",
        where=f"--by {request.by}",
        found=found,
        fix=_suggest_shares(request, empty, items),
    )


def _suggest_shares(request: SplitRequest, empty: Sequence[str], items: Sequence[Item]) -> str:
    """What fills the ``empty`` subsets: smaller groups, or other shares."""
    finer = ["lower --block-size", "where patches overlap throughout divide --by patch --allow-leak"]
    if request.by != "block":
        finer = [f"divide by something finer, such as {suggest_within(items)}"]
    if request.guard:
        finer.append("lower --guard")
    if "train" in empty:
        asked = [f"--{subset}" for subset in ("val", "test") if getattr(request, subset)]
        return ", or ".join([*finer, f"lower {' and '.join(asked)}"])
    return ", or ".join([*finer, f"raise {' and '.join(f'--{subset}' for subset in empty)}"])


def _leak_error(request: SplitRequest, leaks: Sequence[Leak]) -> RsforgeError:
    leak = leaks[0]
    more = len(leaks) - 1
    found = f"{leak.names[0]} ({leak.subsets[0]}) and {leak.names[1]} ({leak.subsets[1]}): {leak.reason}"
    if more:
        found += f"; and {more} more"
    what = f"a split by {request.by} would put neighbours in different subsets"
    return RsforgeError("RSF-D011", what, where=f"--by {request.by}", found=found)
