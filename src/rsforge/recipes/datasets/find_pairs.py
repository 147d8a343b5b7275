"""Pairs of a folder, found and judged: what cannot be used stops the command, or is left out and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from rsforge.data.images.augment import scaled
from rsforge.data.io import rasters
from rsforge.data.pairs.dataset import JudgedPair, Refused, judge_pairs
from rsforge.data.pairs.index import PairIndex, find_pairs
from rsforge.data.pairs.reading import grey_of_rgb
from rsforge.data.sar.radiometry import Radiometry
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.settings.pairs import PairDataSettings

OnBad = Literal["error", "skip"]
T = TypeVar("T")
TOLD = 5
SKIP = "continue without them by --on-bad skip"


def find(data: PairDataSettings, show: Console, on_bad: OnBad) -> PairIndex:
    """The pairs that ``data`` names; RSF-D009 for what does not pair, unless it is to be skipped, and empty folders."""
    index = find_pairs(
        Path(data.data_dir), layout=data.layout, terrains=data.terrains, max_per_terrain=data.max_per_terrain
    )
    for note in index.notes:
        show.say(f"layout     {note}")
    _check_empty(index, data, show)
    _check_faults(index, data, show, on_bad)
    show.say(f"pairs      {_taken(index, data)}")
    return index


def is_part(index: PairIndex, data: PairDataSettings) -> bool:
    """Whether the pairs may be some of those in the folder."""
    return bool(data.terrains) or bool(_cut(index, data))


def _cut(index: PairIndex, data: PairDataSettings) -> dict[str, int]:
    most = data.max_per_terrain
    return {name: count for name, count in index.counts.items() if most is not None and count > most}


def _taken(index: PairIndex, data: PairDataSettings) -> str:
    cut = _cut(index, data)
    if not cut:
        return f"{len(index.pairs)} found"
    of = ", ".join(f"{name}{': ' * bool(name)}{data.max_per_terrain} of {count}" for name, count in cut.items())
    return f"{len(index.pairs)} of {sum(index.counts.values())} taken, the first by --max-per-terrain ({of})"


def _check_faults(index: PairIndex, data: PairDataSettings, show: Console, on_bad: OnBad) -> None:
    """What has no partner and what tables or folders get wrong, in the terrains that are taken."""
    for name, reason in index.doubts:
        show.warn(f"{name}: {reason}")
    problems = [(n, why) for n, why in index.problems if not why.startswith("there is no") or _is_taken(n, data)]
    faults = index.orphans + problems
    if not faults:
        return
    parts = [counted(len(index.orphans), "file") + " without a partner"] * bool(index.orphans)
    what = " and ".join(parts + [counted(len(problems), "problem")] * bool(problems))
    found = "; ".join(f"{name}: {reason}" for name, reason in faults[:3]) + (", ..." if len(faults) > 3 else "")
    if on_bad == "error":
        fix = f"see them all by `rsforge data audit --data-dir {index.root}`, or {SKIP}"
        raise RsforgeError("RSF-D009", f"{what} among the pairs", where=str(index.root), found=found, fix=fix)
    show.warn(f"{what} left aside: {found}")


def _is_taken(name: str, data: PairDataSettings) -> bool:
    return not data.terrains or name.split("/")[0] in data.terrains


def _check_empty(index: PairIndex, data: PairDataSettings, show: Console) -> None:
    """A warning of folders without a single pair; RSF-D009 for one that was asked for."""
    empty = [name for name, count in index.counts.items() if not count]
    if index.layout == "terrain" and not data.terrains and "" not in index.counts:
        folders = (path for path in index.root.iterdir() if path.is_dir() and not path.name.startswith("."))
        empty += sorted(path.name for path in folders if not any(path.iterdir()))
    if empty and data.terrains:
        fix = "fill it, or leave it out of --terrains"
        bare = ", ".join(side for side in index.empty if side.startswith(f"{empty[0]}/"))
        what, found = f"the terrain {empty[0]} has no pairs", f"no images in {bare}" if bare else ""
        raise RsforgeError("RSF-D009", what, where="--terrains", found=found, fix=fix)
    if empty:
        show.warn(f"no pairs in {', '.join(empty)}")


def judge(
    index: PairIndex, radiometry: Radiometry, data: PairDataSettings, image_size: int, show: Console, on_bad: OnBad
) -> list[JudgedPair]:
    """The pairs that can be used, all of as many SAR bands, in their order.

    RSF-D002, D003, D009 or D010 for one that cannot, unless it is to be skipped.
    """
    with show.progress("judged", len(index.pairs)) as meter:
        allow = data.allow_gray_optical
        judged, refused = judge_pairs(index.pairs, radiometry, allow_gray_optical=allow, progress=meter.step)
    kept, unfit = fitting([(one, (one.height, one.width), one.sar_bands) for one in judged], image_size)
    say_small([(one.height, one.width) for one in kept], "pair", image_size, show)
    refused += [(one.name, error) for one, error in unfit]
    leave_out(refused, counted(len(index.pairs), "pair"), index.root, show, on_bad, all_bad=not kept)
    if kept:
        say_grey(kept[0].pair.sar, show)
    return kept


def fitting(
    things: Sequence[tuple[T, tuple[int, int], int]], image_size: int
) -> tuple[list[T], list[tuple[T, RsforgeError]]]:
    """Of (thing, its size, its SAR bands) those that can be scaled and have the bands of most; and the others."""
    usual = Counter(bands for _, _, bands in things if bands).most_common(1)
    kept, unfit = list[T](), list[tuple[T, RsforgeError]]()
    for thing, size, bands in things:
        try:
            scaled(*size, image_size)
            if bands and bands != usual[0][0]:
                what = f"its SAR image has {counted(bands, 'band')} where most have {usual[0][0]}"
                raise RsforgeError("RSF-D009", what)
            kept.append(thing)
        except RsforgeError as error:
            unfit.append((thing, error))
    return kept, unfit


def say_small(sizes: Sequence[tuple[int, int]], noun: str, image_size: int, show: Console) -> None:
    """Warn of what has to be enlarged."""
    if small := sum(min(size) < image_size for size in sizes):
        total = counted(len(sizes), noun)
        show.warn(f"{small} of {total} are smaller than --image-size {image_size}: enlarged")


def say_grey(sar: Path, show: Console) -> None:
    """Tell when SAR images are stored as 8-bit colours."""
    values = rasters.read(sar).values
    if grey_of_rgb(values).shape != values.shape:
        show.say("sar        stored as 8-bit colours, taken as grey (ITU-R BT.601 luma)")


def leave_out(
    refused: Sequence[Refused], total: str, root: Path, show: Console, on_bad: OnBad, *, all_bad: bool
) -> None:
    """Warn of what is left out of ``total``; an error where that is not wished or it is ``all_bad``.

    Its code is that of all of them, else RSF-D002; its fixes are theirs.
    """
    if on_bad == "skip" and not all_bad:
        for name, error in refused[:TOLD]:
            show.warn(f"left out {name}: {_reason(error)}")
        if len(refused) > TOLD:
            show.warn(f"left out {len(refused) - TOLD} more")
        return
    if not refused:
        return
    codes, fixes = {error.code for _, error in refused}, list(dict.fromkeys(error.fix for _, error in refused))
    if not all_bad and not any("--on-bad skip" in fix for fix in fixes):
        fixes.append(SKIP)
    found = "; ".join(f"{name}: {_reason(error)}" for name, error in refused[:TOLD])
    found += f"; and {len(refused) - TOLD} more" if len(refused) > TOLD else ""
    what = f"{len(refused)} of {total} cannot be used"
    raise RsforgeError(codes.pop() if len(codes) == 1 else "RSF-D002", what, where=str(root), found=found,
                       fix="; or ".join(fixes))  # fmt: skip


def _reason(error: RsforgeError) -> str:
    return f"{error.what}: {error.found}" if error.found else error.what


def counted(number: int, noun: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{number} {noun}{'s' * (number != 1)}"
