"""The patches that an evaluation measures, and what its bootstrap draws: scenes, or patches that share no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsforge.data.io.windows import Window
from rsforge.data.spectra.patch_files import PatchRef
from rsforge.data.splits.items import Item
from rsforge.data.splits.single_items import patch_items
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import measured_subset, stored_split
from rsforge.recipes.datasets.cube_patches import PatchSets, find_patch_sets
from rsforge.recipes.datasets.measured_subset import settings_of, trained_digest
from rsforge.wording import count_noun

LEAST_GROUPS = 5
"""Fewer draws of which an interval is worth nothing: five give 126 different resamples."""
FEW_GROUPS = 20


@dataclass(frozen=True)
class MeasuredPatches:
    """Some of the patches that were found; fields are those of ``MeasuredSubset``.

    ``scenes`` are by patch, ``groups`` what the bootstrap draws for each, none where there are too few; ``drawn`` says
    what these are, and ``doubt`` what is wrong with the intervals.
    """

    patches: list[PatchRef]
    sets: PatchSets
    subset: str
    reason: str
    own: bool
    scenes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    drawn: str = ""
    doubt: str = ""

    def count_trained(self, state: Mapping[str, Any]) -> int | None:
        """How many of the patches the model of a checkpoint was trained on; None where that cannot be known."""
        if "trained" in state:
            known = set(state["trained"])
            return sum(self.sets.digests[patch.name] in known for patch in self.patches)
        if trained_digest(state) != self.sets.identity["split"]:
            return None
        trained = {patch.name for patch in self.sets.train}
        return sum(patch.name in trained for patch in self.patches)


def open_patches(root: Path, split: str, choice: str, console: Console, state: Mapping[str, Any]) -> MeasuredPatches:
    """The patches of a subset, for a checkpoint ``state``.

    ``choice`` auto is test where a split is followed that has one, else val, and all where nothing was held out or
    these are other patches than those of the training. Without a split the division of the training is made again.
    RSF-U005 when there is none to make, RSF-D012 when it is another one, RSF-D004 for an empty subset.
    """
    found = _choose(root, split, choice, console, state)
    measured_subset.say_choice(found.subset, found.reason, console)
    items = {item.name: item for item in patch_items(root)}
    return name_groups(found, [items[patch.name] for patch in found.patches])


def _choose(root: Path, split: str, choice: str, console: Console, state: Mapping[str, Any]) -> MeasuredPatches:
    if choice == "all":
        return _take_all(root, console)
    made = choice == "test" and not measured_subset.count_test(state)
    if made or stored_split.find_split_file(split, root) is not None:
        return _choose_by_split(root, split, choice, console, state)
    if choice == "auto":
        return _choose_held_out(root, console, state)
    return _choose_of_training(root, choice, console, state)


def _take_all(root: Path, console: Console, reason: str = "") -> MeasuredPatches:
    sets = find_patch_sets(root, console, split="none", val_fraction=0)
    return MeasuredPatches(sets.train, sets, "all", reason, own=False)


def _choose_by_split(
    root: Path, split: str, choice: str, console: Console, state: Mapping[str, Any]
) -> MeasuredPatches:
    if stored_split.find_split_file(split, root) is None:
        raise stored_split.no_split_error(split, choice, root)
    sets = find_patch_sets(root, console, split=split)
    subsets = {"train": sets.train, "val": sets.val, "test": sets.test}
    subset, reason = measured_subset.choose_subset(choice, subsets)
    if subset == "all":
        return MeasuredPatches(sets.train, sets, "all", reason, own=False)
    own = sets.identity["split"] == trained_digest(state)
    patches = stored_split.require_subset(subsets, subset, console, ours=own)
    return MeasuredPatches(patches, sets, subset, reason, own)


def _choose_of_training(root: Path, choice: str, console: Console, state: Mapping[str, Any]) -> MeasuredPatches:
    """A subset of the division that the training made for itself."""
    measured_subset.check_known(choice, state)
    try:
        sets = _divide_again(root, console, state)
    except RsforgeError as error:
        if error.code == "RSF-D004":
            error.where, error.fix = f"--side {choice}", "measure all patches by --side all"
        raise
    same = sets.identity["split"] == trained_digest(state)
    patches = sets.sides.by_name()[choice]
    measured_subset.check_divided(choice, same=same, count=len(patches), noun="patches")
    return MeasuredPatches(patches, sets, choice, "", own=True)


def _choose_held_out(root: Path, console: Console, state: Mapping[str, Any]) -> MeasuredPatches:
    """What the training held out, where these are its patches; else all."""
    reason = measured_subset.why_undivided(state)
    if reason:
        return _take_all(root, console, reason)
    with suppress(RsforgeError):  # other patches may be too few to be divided so, which is no fault of theirs
        sets = _divide_again(root, SilentConsole(), state)
        if sets.identity["split"] == trained_digest(state):
            patches, subset, reason = measured_subset.choose_of_division(sets.sides)
            return MeasuredPatches(patches, sets, subset, reason, own=True)
    return _take_all(root, console, measured_subset.OTHER_DATA.format(noun="patches"))


def _divide_again(root: Path, console: Console, state: Mapping[str, Any]) -> PatchSets:
    data = settings_of(state, "data")
    return find_patch_sets(
        root,
        console,
        split="none",
        by=data.get("divide_by", "auto"),
        val_fraction=float(data.get("val_fraction", 0)),
        test_fraction=data.get("test_fraction", 0.0),
        seed=int(settings_of(state, "run").get("seed", 0)),
        allow_leak=bool(data.get("allow_leak")),
    )


def name_groups(found: MeasuredPatches, items: Sequence[Item]) -> MeasuredPatches:
    """The same patches with their scenes, and with the groups that a bootstrap draws.

    They are scenes where five or more are known, else groups of patches of a scene that overlap, mostly single
    patches. Patches whose place is unknown are one group a scene, and a file without scenes is one.
    """
    scenes = [item.scene or item.name.rpartition("#")[0] for item in items]
    groups, what = scenes, "scene"
    if len(set(scenes)) < LEAST_GROUPS:
        places = join_overlapping([(scene, item.window) for scene, item in zip(scenes, items, strict=True)])
        groups, what = [f"{scene} {place}" for scene, place in zip(scenes, places, strict=True)], "block"
    count, known = len(set(groups)), count_noun(len(set(scenes)), "scene")
    if count < LEAST_GROUPS:
        doubt = f"no interval can be had: there are {known} and {count_noun(count, 'group')} of patches without overlap"
        return replace(found, scenes=scenes, drawn=count_noun(count, what), doubt=doubt)
    doubt = f"an interval over only {count_noun(count, what)} is too narrow" if count < FEW_GROUPS else ""
    if what == "block":
        doubt = f"intervals are over {count} blocks of {known}, and too narrow as blocks of one scene are alike"
    return replace(found, scenes=scenes, groups=groups, drawn=count_noun(count, what), doubt=doubt)


def join_overlapping(places: Sequence[tuple[str, Window | None]]) -> list[int]:
    """A number for each of ``places`` (scene and window), the same for those that overlap, directly or by others."""
    labels = list(range(len(places)))
    for k, (scene, window) in enumerate(places):
        for j in range(k):
            if labels[j] != labels[k] and places[j][0] == scene and _overlap(places[j][1], window):
                old, new = max(labels[j], labels[k]), min(labels[j], labels[k])
                labels = [new if label == old else label for label in labels]
    return labels


def _overlap(one: Window | None, other: Window | None) -> bool:
    return one is None or other is None or one.shared_pixels(other) > 0
