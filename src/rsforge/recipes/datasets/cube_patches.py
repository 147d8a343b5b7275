"""Which hyperspectral patches are trained on: by the stored split, else by whole scenes, else by blocks of a scene."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rsforge.data.spectra.patch_files import PatchRef, find_patch_files, list_patches
from rsforge.data.splits.assign import divide
from rsforge.data.splits.duplicates import Digests, digest_items, duplicate_groups, shorten_digests
from rsforge.data.splits.items import Item
from rsforge.data.splits.overlap import DisjointSet, find_shared_ground
from rsforge.data.splits.single_items import patch_items
from rsforge.data.splits.split_file import LEAST_SCENES, SUBSETS, Sides, Split, load_split
from rsforge.data.splits.split_request import DuplicateGroups, SplitRequest
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.image_folder import identify_sides
from rsforge.recipes.datasets.stored_split import check_split, find_split_file, report_sides, report_split
from rsforge.wording import count_noun

DivideBy = Literal["auto", "scene", "block"]


@dataclass(frozen=True)
class PatchSets:
    """The patches of each subset, sorted by content.

    ``identity`` is the digest of what trains and chooses, and the sizes, for the checkpoint; ``digests`` are
    short ones of the contents of all patches, by name.
    """

    train: list[PatchRef]
    val: list[PatchRef]
    test: list[PatchRef]
    identity: dict[str, Any]
    digests: dict[str, str]

    @property
    def sides(self) -> Sides[PatchRef]:
        """The patches of the three subsets."""
        return Sides(self.train, self.val, self.test)

    @property
    def trained(self) -> list[str]:
        """The short digests of the training patches."""
        return [self.digests[patch.name] for patch in self.train]


@dataclass(frozen=True)
class _Content:
    digest: str


def find_patch_sets(
    root: Path,
    console: Console,
    *,
    split: str = "auto",
    by: DivideBy = "auto",
    val_fraction: float = 0.2,
    test_fraction: float | None = 0.0,
    seed: int = 42,
    allow_leak: bool = False,
) -> PatchSets:
    """The patches below ``root``, divided by the file that ``split`` names (``auto``: that of the folder), else anew.

    Anew, whole scenes are held out where there are several, else blocks of the only one, so that no two patches with
    common pixels stand on different sides; ``by`` decides otherwise. Files that name no scenes are scenes of their own.
    Nothing is held out with ``val_fraction`` 0. None for ``test_fraction`` is that of val where scenes, or blocks of
    one, are five or more on either side, else 0. Errors are those of ``find_patch_files``; RSF-D012 for a split of
    other data, RSF-D011 where scenes or windows are unknown, RSF-D004 where a side stays empty.
    """
    files = find_patch_files(root)
    for note, count in Counter(note for file in files for note in file.spectrum.notes).items():
        console.say(f"patches    {note} (in {count_noun(count, 'file')})")
    refs = {ref.name: ref for ref in list_patches(files)}
    items = [item for item in patch_items(root) if item.name in refs]
    with console.progress("hashed", len(items)) as meter:
        digests = digest_items(items, meter.step)
    stored = find_split_file(split, root)
    if stored is not None:
        division = load_split(stored)
        check_split(division, digests, console)
    else:
        request = SplitRequest("scene", val_fraction, test_fraction or 0.0, seed, allow_leak=allow_leak)
        division = _divide(items, digests, by, request, console, may_judge=test_fraction is None)
    subsets = {subset: _sort_refs(division.subsets[subset], refs, digests) for subset in SUBSETS}
    report_split(division, subsets, console)
    if stored is None:
        report_sides(Sides(**subsets), console)
    if not subsets["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")
    identity, short = _identify(subsets, digests), shorten_digests(digests)
    return PatchSets(subsets["train"], subsets["val"], subsets["test"], identity, short)


def _sort_refs(names: Sequence[str], refs: dict[str, PatchRef], digests: Digests) -> list[PatchRef]:
    """By content and then name, so that renaming files does not change the order."""
    return [refs[name] for name in sorted(names, key=lambda name: (digests[name], name)) if name in refs]


def _identify(subsets: dict[str, list[PatchRef]], digests: Digests) -> dict[str, Any]:
    return identify_sides(Sides(*([_Content(digests[ref.name][0]) for ref in subsets[name]] for name in SUBSETS)))


def _divide(
    items: Sequence[Item], digests: Digests, by: DivideBy, request: SplitRequest, console: Console, *, may_judge: bool
) -> Split:
    if not (request.val or request.test):
        return Split("none", request.seed, {"train": [i.name for i in items], "val": [], "test": []})
    placed = _name_scenes(items, console)
    duplicates = duplicate_groups(placed, digests)
    if may_judge and request.val < 0.5:
        with suppress(RsforgeError):  # too few for three sides, which is no fault of theirs
            three = _divide_by(placed, by, replace(request, test=request.val), duplicates, partial(_has_enough, placed))
            if _has_enough(placed, three):
                return three
    try:
        return _divide_by(placed, by, request, duplicates)
    except RsforgeError as error:
        error.where = "--val-fraction, --test-fraction" if request.test else "--val-fraction"
        error.fix = _suggest_remedy(placed)
        raise


def _divide_by(
    items: Sequence[Item],
    by: DivideBy,
    request: SplitRequest,
    duplicates: DuplicateGroups,
    is_enough: Callable[[Split], bool] = lambda split: True,
) -> Split:
    way = _choose_way(items, by, request)
    if way == "block":
        return _divide_by_block(items, request, duplicates, is_enough)
    return divide(items, replace(request, by=way), duplicates=duplicates)


def _has_enough(items: Sequence[Item], split: Split) -> bool:
    """Whether both sides that are held out have scenes, or blocks of one, for an interval."""
    return all(_count_groups(split.subsets[name], items) >= LEAST_SCENES for name in ("val", "test"))


def _count_groups(names: Collection[str], items: Sequence[Item]) -> int:
    """The scenes of these names, or where they are few the groups of patches that share no ground."""
    own = [item for item in items if item.name in set(names)]
    scenes = {item.scene for item in own}
    sets = DisjointSet()
    for one, other in find_shared_ground(own):
        sets.join(one.name, other.name)
    return max(len(scenes), len({sets.find_root(item.name) for item in own}))


def _choose_way(items: Sequence[Item], by: DivideBy, request: SplitRequest) -> str:
    """Scene, block, or patch, for a single scene of unknown windows where leaks are allowed."""
    if by != "auto":
        return by
    if len({item.scene for item in items}) > 1:
        return "scene"
    return "patch" if request.allow_leak and any(item.window is None for item in items) else "block"


def _divide_by_block(
    items: Sequence[Item], request: SplitRequest, duplicates: DuplicateGroups, is_enough: Callable[[Split], bool]
) -> Split:
    """By the largest blocks, of 4, 2 or 1 patches, that leave enough for every side: small blocks lose patches."""
    patch = max((max(item.window[2:]) for item in items if item.window), default=1)
    for size in (4 * patch, 2 * patch):
        with suppress(RsforgeError):
            split = divide(items, replace(request, by="block", block_size=size), duplicates=duplicates)
            if is_enough(split):
                return split
    return divide(items, replace(request, by="block", block_size=patch), duplicates=duplicates)


def _name_scenes(items: Sequence[Item], console: Console) -> list[Item]:
    """The items, those of unknown scenes with the name of their file as scene: one file is cut from one flight line."""
    unknown = sum(not item.scene for item in items)
    if unknown:
        console.say(f"scenes     unknown for {unknown} of {len(items)} patches: each file counts as one scene")
    return [item if item.scene else replace(item, scene=item.name.rpartition("#")[0]) for item in items]


def _suggest_remedy(items: Sequence[Item]) -> str:
    nothing = "hold nothing out by --val-fraction 0"
    if len(items) == 1:
        return f"a single patch cannot be divided: cut more, or {nothing}"
    if any(item.window is None for item in items):
        return (
            "cut the patches again by `rsforge data hsi-patches`, which stores where they lie, add files of other "
            f"scenes, or {nothing}"
        )
    return f"divide by `rsforge data split --by block` with a smaller --block-size, add scenes, or {nothing}"
