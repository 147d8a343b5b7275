"""Which pairs are trained on and which are held out: by a stored split, else by whole scenes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsforge.data.pairs.dataset import JudgedPair
from rsforge.data.pairs.index import PairIndex
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.assign import divide
from rsforge.data.splits.duplicates import Digests, duplicate_groups
from rsforge.data.splits.items import Item, SharedPixels, item_of_pair
from rsforge.data.splits.split_file import LEAST_IMAGES, LEAST_SCENES, SUBSETS, Sides, Split, load_split
from rsforge.data.splits.split_request import SplitRequest, lie_on_one_ground, suggest_way, suggest_within
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import stored_split
from rsforge.recipes.datasets.find_pairs import is_part
from rsforge.recipes.datasets.named_samples import NoSamples, unknown_scenes
from rsforge.recipes.shared_pixels import search_shared_pixels
from rsforge.settings.pairs import DividedPairSettings, PairDataSettings
from rsforge.wording import count_noun

Metadata = Mapping[str, str]
"""What the table and the name of a pair say of it, by column."""
Shares = tuple[float, float | None]
"""Of what is held out to choose by, and to judge by; None leaves the latter to the data."""
DIGEST_LENGTH = 16
LEFT_OUT = "left out"
"""The subset of what a split leaves out."""


@dataclass(frozen=True)
class PairSets:
    """Training pairs with augmentation (``train``) and without (``plain``), held-out pairs, and their identity.

    Of held-out pairs ``held_out`` choose the best epoch, and ``test`` judge it, where there are any.
    ``matched`` says whether held-out images are true pairs, as measures of similarity need them; ``trained`` are short
    digests of the files trained on; ``scaled`` says whether some were resized. Of pairs, ``train_metadata`` and
    ``held_out_metadata`` are what tables and names say of each, and ``test_metadata``; ``scenes`` names those of some.
    """

    train: IndexedDataset
    plain: IndexedDataset
    held_out: IndexedDataset
    identity: dict[str, Any]
    radiometry: Radiometry
    sar_channels: int
    matched: bool = True
    trained: tuple[str, ...] = ()
    scaled: bool = False
    train_metadata: Sequence[Metadata] = ()
    held_out_metadata: Sequence[Metadata] = ()
    test: IndexedDataset = field(default_factory=NoSamples)
    test_metadata: Sequence[Metadata] = ()
    scenes: Callable[[IndexedDataset], list[str]] = unknown_scenes


def shorten_digests(digests: Iterable[str]) -> tuple[str, ...]:
    """The first hex digits of each digest, sorted, by which a checkpoint recognises the files it was trained on."""
    return tuple(sorted({digest[:DIGEST_LENGTH] for digest in digests}))


@dataclass(frozen=True)
class StoredPairSplit:
    """The pairs of each subset of a stored split, the subset of every name, and the digests of all pairs."""

    pairs: dict[str, list[JudgedPair]]
    subset_of: dict[str, str]
    contents: Digests


def follow_split(
    data: PairDataSettings, index: PairIndex, judged: Sequence[JudgedPair], console: Console
) -> StoredPairSplit | None:
    """The stored split of the pairs; None where none is followed.

    RSF-D012 for a split of other pairs, or of other contents under their names.
    """
    path = stored_split.find_split_file(data.split, index.root)
    if path is None:
        return None
    split = load_split(path)
    contents = _digest_contents(index, judged)
    stored_split.check_split(split, contents, console, part=is_part(index, data))
    usable = {one.name: one for one in judged}
    pairs = {subset: [usable[name] for name in split.subsets[subset] if name in usable] for subset in SUBSETS}
    stored_split.report_split(split, pairs, console)
    subset_of = {name: subset for subset, names in split.subsets.items() for name in names}
    return StoredPairSplit(pairs, subset_of | dict.fromkeys(split.left_out, LEFT_OUT), contents)


def _digest_contents(index: PairIndex, judged: Sequence[JudgedPair]) -> Digests:
    """The digests of which a split of these pairs is made, including those of unusable pairs."""
    digests: Digests = {one.name: one.files for one in judged}
    for pair in index.pairs:
        if pair.name not in digests:
            digests[pair.name] = tuple(stored_split.digest_bad_file(file) for file in (pair.sar, pair.optical))
    return digests


def check_stored(split: StoredPairSplit, data: DividedPairSettings, console: Console) -> None:
    """RSF-D004 for a split without training pairs; a warning where the typed ``--val-fraction`` is not used."""
    if "val_fraction" in data.model_fields_set:
        console.warn("--val-fraction is not used: the split says what is held out (--split none ignores it)")
    if not split.pairs["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")
    stored_split.report_missing_test(split.pairs, console)


def divide_by_scene(
    judged: Sequence[JudgedPair],
    *,
    shares: Shares,
    seed: int,
    allow_leak: bool,
    overlap_by_content: bool,
    console: Console,
) -> Sides[JudgedPair]:
    """Whole scenes are held out, as by ``rsforge data split``; single pairs of unknown scenes where leaks are allowed.

    ``shares`` are those of val and test. With ``overlap_by_content`` pairs whose optical images share pixels stay
    together. RSF-D011 for unknown scenes,
    RSF-D004 for a single scene.
    """
    if not any(shares):
        console.say(f"split      none: {len(judged)} train, nothing held out")
        return Sides(sort_by_content(judged), [], [])
    items = [item_of_pair(one.pair) for one in judged]
    contents: Digests = {one.name: one.files for one in judged}
    shared = search_shared_pixels(items, contents, console, wanted=overlap_by_content)
    subset_of = choose_sides(items, contents, shared, shares, seed, allow_leak)
    warn_of_unknown(items, console)
    sides = Sides(*(sort_by_content([one for one in judged if subset_of[one.name] == name]) for name in SUBSETS))
    _report_scenes(sides, console)
    stored_split.report_sides(sides, console)
    return sides


def _report_scenes(sides: Sides[JudgedPair], console: Console) -> None:
    """Report how many pairs, and of how many scenes, are held out."""
    held_out = [*sides.val, *sides.test]
    counts = [_count_scenes(side) for side in sides if side]
    scenes = "of unknown scenes"
    if all(counts):
        scenes = f"of {', '.join(map(str, counts[:-1]))} and {count_noun(counts[-1], 'scene')}"
    console.say(f"split      {len(sides.train)} train, {len(held_out)} held out, {scenes}")


def _count_scenes(judged: Sequence[JudgedPair]) -> int:
    return len({one.pair.scene for one in judged if one.pair.scene})


def choose_sides(
    items: Sequence[Item],
    contents: Digests,
    shared: Sequence[SharedPixels],
    shares: Shares,
    seed: int,
    allow_leak: bool,
) -> dict[str, str]:
    """The subset of each item, whole scenes at a time; RSF-D004 or RSF-D011.

    Items that are duplicates or have ``shared`` pixels stay together. Without a share for test it is that of val, where
    that leaves ``LEAST_SCENES`` scenes in each (or ``LEAST_IMAGES`` items of unknown scenes), else 0.
    """
    val, test = shares
    duplicates = duplicate_groups(items, contents)
    request = SplitRequest("scene", val=val, test=test or 0.0, seed=seed, allow_leak=allow_leak)
    if test is None and 0 < val < 0.5:
        with suppress(RsforgeError):  # too few scenes for three sides, which is no fault of theirs
            three = divide(items, replace(request, test=val), duplicates=duplicates, shared=shared)
            if all(_has_enough(three.subsets[name], items) for name in ("val", "test")):
                return _by_name(three)
    try:
        return _by_name(divide(items, request, duplicates=duplicates, shared=shared))
    except RsforgeError as error:
        error.where = "--val-fraction, --test-fraction" if test else "--val-fraction"
        error.fix = _suggest_remedy(error.code, items)
        scenes = len({item.scene for item in items})
        if error.code == "RSF-D004" and scenes > 1:
            error.found += f"; {scenes} scenes hang together by equal files, shared pixels or common ground"
        raise


def _by_name(split: Split) -> dict[str, str]:
    return {name: subset for subset, names in split.subsets.items() for name in names}


def _has_enough(names: Collection[str], items: Sequence[Item]) -> bool:
    """Whether a side of these names can judge: by scenes where they are known, else by its size."""
    own = set(names)
    scenes = {item.scene for item in items if item.name in own} - {""}
    return len(scenes) >= LEAST_SCENES or (not scenes and len(own) >= LEAST_IMAGES)


def warn_of_unknown(items: Sequence[Item], console: Console) -> None:
    """Warn of items that were divided without a known scene."""
    unknown = sum(not item.scene for item in items)
    if unknown:
        console.warn(
            f"the scenes of {unknown} of {len(items)} are unknown: neighbours may be in different subsets, as "
            "--allow-leak allows, and held-out figures will be too good"
        )


def _suggest_remedy(code: str, items: Sequence[Item]) -> str:
    if code == "RSF-D011":
        by_region = "divide by folders with `rsforge data split --by region`, or "
        within = f"divide within it by `rsforge data split {suggest_within(items)}`" if lie_on_one_ground(items) else ""
        remedy = f"{by_region if suggest_way(items, 'scene') else ''}{within or 'accept it with --allow-leak'}"
    elif all(item.windows_by_plane for item in items):
        remedy = (
            "cut the scene into blocks by `rsforge data split --by block`, or where patches overlap throughout divide "
            "them by `rsforge data split --by patch --allow-leak`"
        )
    else:
        remedy = (
            "add scenes, or divide it by `rsforge data split --by block` where windows are known, else by "
            "`rsforge data split --by patch --allow-leak`"
        )
    return f"{remedy}, or hold nothing out by --val-fraction 0"


def sort_by_content(judged: Sequence[JudgedPair]) -> list[JudgedPair]:
    """By digest and then name, so that renaming files does not change the order."""
    return sorted(judged, key=lambda one: (one.digest, one.name))


def has_split(data: PairDataSettings) -> bool:
    """Whether there is a stored split to follow."""
    return stored_split.find_split_file(data.split, Path(data.data_dir)) is not None
