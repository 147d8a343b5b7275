"""The pairs of a folder, found and checked: what cannot be used ends the command, or is skipped and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from rsforge.data.files.walk import find_unread
from rsforge.data.images.augment import scaled_size
from rsforge.data.io import rasters
from rsforge.data.pairs.dataset import JudgedPair, Refusal, judge_pairs
from rsforge.data.pairs.index import PairIndex, find_pairs
from rsforge.data.pairs.reading import rgb_to_grey
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.views.view import PairViews
from rsforge.errors import RsforgeError
from rsforge.recipes import views
from rsforge.recipes.console import Console
from rsforge.settings.pairs import PairDataSettings
from rsforge.wording import count_noun, join_first

OnBad = Literal["error", "skip"]
T = TypeVar("T")
NAMED = 5
SKIP = "continue without them by --on-bad skip"


def list_pairs(data: PairDataSettings, console: Console, on_bad: OnBad) -> PairIndex:
    """The pairs that ``data`` names; RSF-D009 for empty folders, and unless skipped, for what does not pair."""
    index = find_pairs(
        Path(data.data_dir), layout=data.layout, terrains=data.terrains, max_per_terrain=data.max_per_terrain
    )
    for note in index.notes:
        console.say(f"layout     {note}")
    _check_empty(index, data, console)
    _check_problems(index, data, console, on_bad)
    views.warn_of_unread(find_unread(index.root), console)
    console.say(f"pairs      {_describe_selection(index, data)}")
    return index


def view_pairs(
    index: PairIndex, data: PairDataSettings, console: Console, stored: PairViews | None = None
) -> PairViews:
    """Settle how the pairs are read, which they keep: by the options, else ``stored``, else their metadata."""
    sar, optical = [pair.sar for pair in index.pairs], [pair.optical for pair in index.pairs]
    seen = views.settle_pairs(index.root, sar, optical, data, console, stored)
    index.pairs = [replace(pair, views=seen) for pair in index.pairs]
    return seen


def is_part(index: PairIndex, data: PairDataSettings) -> bool:
    """Whether the pairs may be only a part of those in the folder."""
    return bool(data.terrains) or bool(_truncated_folders(index, data))


def _truncated_folders(index: PairIndex, data: PairDataSettings) -> dict[str, int]:
    """The number of pairs of each folder that has more than are taken."""
    most = data.max_per_terrain
    return {name: count for name, count in index.counts.items() if most is not None and count > most}


def _describe_selection(index: PairIndex, data: PairDataSettings) -> str:
    truncated = _truncated_folders(index, data)
    if not truncated:
        return f"{len(index.pairs)} found"
    parts = []
    for name, count in truncated.items():
        prefix = f"{name}: " if name else ""
        parts.append(f"{prefix}{data.max_per_terrain} of {count}")
    total = sum(index.counts.values())
    return f"{len(index.pairs)} of {total} taken, the first by --max-per-terrain ({', '.join(parts)})"


def _check_problems(index: PairIndex, data: PairDataSettings, console: Console, on_bad: OnBad) -> None:
    """Warnings about tables; RSF-D009, or a warning where they are skipped, for orphans and problems."""
    for name, reason in index.warnings:
        console.warn(f"{name}: {reason}")
    problems = [
        (name, reason)
        for name, reason in index.problems
        if not reason.startswith("there is no") or _is_selected(name, data)
    ]
    parts = []
    if index.orphans:
        parts.append(f"{count_noun(len(index.orphans), 'file')} without a partner")
    if problems:
        parts.append(count_noun(len(problems), "problem"))
    if not parts:
        return
    what = " and ".join(parts)
    found_texts = [f"{name}: {reason}" for name, reason in index.orphans + problems]
    found = "; ".join(found_texts[:3]) + (", ..." if len(found_texts) > 3 else "")
    if on_bad == "error":
        fix = f"see them all by `rsforge data audit --data-dir {index.root}`, or {SKIP}"
        raise RsforgeError("RSF-D009", f"{what} among the pairs", where=str(index.root), found=found, fix=fix)
    console.warn(f"{what} left out: {found}")


def _is_selected(name: str, data: PairDataSettings) -> bool:
    return not data.terrains or name.split("/")[0] in data.terrains


def _check_empty(index: PairIndex, data: PairDataSettings, console: Console) -> None:
    """A warning about folders without any pair; RSF-D009 for one that is named in the options."""
    empty = [name for name, count in index.counts.items() if not count]
    if index.layout == "terrain" and not data.terrains and "" not in index.counts:
        folders = (path for path in index.root.iterdir() if path.is_dir() and not path.name.startswith("."))
        empty += sorted(path.name for path in folders if not any(path.iterdir()))
    if empty and data.terrains:
        without_images = ", ".join(name for name in index.empty_folders if name.startswith(f"{empty[0]}/"))
        what = f"the terrain {empty[0]} has no pairs"
        found = f"no images in {without_images}" if without_images else ""
        fix = "fill it, or leave it out of --terrains"
        raise RsforgeError("RSF-D009", what, where="--terrains", found=found, fix=fix)
    if empty:
        console.warn(f"no pairs in {', '.join(empty)}")


def select_usable(
    index: PairIndex, radiometry: Radiometry, data: PairDataSettings, image_size: int, console: Console, on_bad: OnBad
) -> list[JudgedPair]:
    """The usable pairs in their order, all with the same number of SAR bands.

    RSF-D002, D003, D009 or D010 for unusable ones, unless they are skipped.
    """
    allow_gray = data.allow_gray_optical
    with console.progress("checked", len(index.pairs)) as meter:
        judged, refused = judge_pairs(index.pairs, radiometry, allow_gray_optical=allow_gray, progress=meter.step)
    usable, unfit = select_fitting([(one, (one.height, one.width), one.sar_bands) for one in judged], image_size)
    warn_of_small([(one.height, one.width) for one in usable], "pair", image_size, console)
    refused += [(one.name, error) for one, error in unfit]
    total = count_noun(len(index.pairs), "pair")
    refuse_or_skip(refused, total, index.root, console, on_bad, all_bad=not usable)
    views.say_gaps([any(one.gaps) for one in usable], "pair", console)
    if usable:
        report_grey(usable[0].pair.sar, console)
    return usable


def select_fitting(
    things: Sequence[tuple[T, tuple[int, int], int]], image_size: int
) -> tuple[list[T], list[tuple[T, RsforgeError]]]:
    """Of (thing, size, SAR bands) those that can be scaled and have the most common number of bands; and the others.

    0 bands means that a thing has no SAR image.
    """
    usual = Counter(bands for _, _, bands in things if bands).most_common(1)
    fitting: list[T] = []
    unfit: list[tuple[T, RsforgeError]] = []
    for thing, (height, width), bands in things:
        try:
            scaled_size(height, width, image_size)
            if bands and bands != usual[0][0]:
                what = f"its SAR image has {count_noun(bands, 'band')} where most have {usual[0][0]}"
                raise RsforgeError("RSF-D009", what)
            fitting.append(thing)
        except RsforgeError as error:
            unfit.append((thing, error))
    return fitting, unfit


def warn_of_small(sizes: Sequence[tuple[int, int]], noun: str, image_size: int, console: Console) -> None:
    """Warn that some images have to be enlarged."""
    small = sum(min(size) < image_size for size in sizes)
    if small:
        total = count_noun(len(sizes), noun)
        console.warn(f"{small} of {total} are smaller than --image-size {image_size}: enlarged")


def report_grey(sar: Path, console: Console) -> None:
    """Report that SAR images stored as 8-bit colours are converted to grey."""
    values = rasters.read_raster(sar).values
    if rgb_to_grey(values).shape != values.shape:
        console.say("sar        stored as 8-bit colours, read as grey (ITU-R BT.601 luma)")


def refuse_or_skip(
    refused: Sequence[Refusal], total: str, root: Path, console: Console, on_bad: OnBad, *, all_bad: bool
) -> None:
    """Warn of what is skipped of ``total``; an error where nothing is to be skipped or nothing would be left.

    The error has the common code of the refusals, else RSF-D002, and all their remedies.
    """
    if on_bad == "skip" and not all_bad:
        for name, error in refused[:NAMED]:
            console.warn(f"left out {name}: {_describe_error(error)}")
        if len(refused) > NAMED:
            console.warn(f"left out {len(refused) - NAMED} more")
        return
    if not refused:
        return
    codes = {error.code for _, error in refused}
    fixes = list(dict.fromkeys(error.fix for _, error in refused))
    if not all_bad and not any("--on-bad skip" in fix for fix in fixes):
        fixes.append(SKIP)
    raise RsforgeError(
        codes.pop() if len(codes) == 1 else "RSF-D002",
        f"{len(refused)} of {total} cannot be used",
        where=str(root),
        found=join_first([f"{name}: {_describe_error(error)}" for name, error in refused], NAMED),
        fix="; or ".join(fixes),
    )


def _describe_error(error: RsforgeError) -> str:
    return f"{error.what}: {error.found}" if error.found else error.what
