"""Which pairs are trained on and which are held out: by a stored split, else whole scenes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsforge.data.pairs.dataset import JudgedPair
from rsforge.data.pairs.index import PairIndex
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.assign import Wanted, divide
from rsforge.data.splits.duplicates import Digests, twins
from rsforge.data.splits.items import Item, item_of
from rsforge.data.splits.split_file import SIDES, load_split
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets import stored_split
from rsforge.recipes.datasets.find_pairs import is_part
from rsforge.settings.pairs import PairDataSettings, PairTrainingSettings

Divided = tuple[list[JudgedPair], list[JudgedPair]]
"""Pairs to train on, and those held out."""
BRIEF = 16
LEFT_OUT = "left out"
"""The side of what a split leaves out."""


@dataclass(frozen=True)
class Pairs:
    """Training pairs as they are augmented, the same ones plain, and those held out.

    ``matched`` tells whether those held out are true pairs, which figures of likeness need; ``trained`` are the files
    trained on by the first of their digests, ``scaled`` tells whether some had another size.
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


def brief(digests: Iterable[str]) -> tuple[str, ...]:
    """What a checkpoint keeps of the files trained on: enough to know them again."""
    return tuple(sorted({digest[:BRIEF] for digest in digests}))


@dataclass(frozen=True)
class Followed:
    """The pairs on each side of a split; the side of every name that it knows, and what pairs hold by their names."""

    pairs: dict[str, list[JudgedPair]]
    side_of: dict[str, str]
    contents: Digests


def followed(data: PairDataSettings, index: PairIndex, judged: Sequence[JudgedPair], show: Console) -> Followed | None:
    """Who stands on each side of the split that is followed; None where none is.

    RSF-D012 for a split of other pairs, or of other contents under their names.
    """
    path = stored_split.chosen(data.split, index.root)
    if path is None:
        return None
    split, there = load_split(path), {one.name: one for one in judged}
    contents = _contents(index, judged)
    stored_split.check(split, contents, show, part=is_part(index, data))
    found = {side: [there[name] for name in split.sides[side] if name in there] for side in SIDES}
    stored_split.say(split, found, show)
    side_of = {name: side for side, names in split.sides.items() for name in names}
    return Followed(found, side_of | dict.fromkeys(split.left_out, LEFT_OUT), contents)


def _contents(index: PairIndex, judged: Sequence[JudgedPair]) -> Digests:
    """What a split of these pairs was made of, also of those that cannot be used."""
    known: Digests = {one.name: one.files for one in judged}
    bad = {pair.name: (pair.sar, pair.optical) for pair in index.pairs if pair.name not in known}
    return known | {name: tuple(map(stored_split.digest_of_bad, files)) for name, files in bad.items()}


def check_followed(found: Followed, data: PairTrainingSettings, show: Console) -> None:
    """RSF-D004 for a split without training pairs, a warning of a share that was typed beside it."""
    if "val_fraction" in data.model_fields_set:
        show.warn("--val-fraction is not used: the split says what is held out (--split none leaves it aside)")
    if not found.pairs["train"]:
        raise RsforgeError("RSF-D004", "the split leaves nothing to train on", where="--split")


def by_scene(
    judged: Sequence[JudgedPair], *, val_fraction: float, seed: int, allow_leak: bool, show: Console
) -> Divided:
    """Whole scenes held out, as ``rsforge data split`` divides; single pairs of unknown scenes where leaks are allowed.

    RSF-D011 for unknown scenes, RSF-D004 for a single one.
    """
    if not val_fraction:
        show.say(f"split      none: {len(judged)} train, nothing held out")
        return in_order(judged), []
    items = [item_of(one.pair) for one in judged]
    held = held_out(items, {one.name: one.files for one in judged}, val_fraction, seed, allow_leak)
    warn_of_unknown(items, show)
    divided = [one for one in judged if one.name not in held], [one for one in judged if one.name in held]
    scenes = [len({one.pair.scene for one in side if one.pair.scene}) for side in divided]
    told = f"of {scenes[0]} and {scenes[1]} scenes" if all(scenes) else "of unknown scenes"
    show.say(f"split      {len(divided[0])} train, {len(divided[1])} held out, {told}")
    return in_order(divided[0]), in_order(divided[1])


def held_out(items: Sequence[Item], contents: Digests, val_fraction: float, seed: int, allow_leak: bool) -> set[str]:
    """Names of the items that are held out, whole scenes at a time; copies stay together."""
    wanted = Wanted("scene", val=val_fraction, seed=seed, allow_leak=allow_leak)
    try:
        split = divide(items, wanted, twins=twins(items, contents))
    except RsforgeError as error:
        error.where, error.fix = "--val-fraction", _advice(error.code, items)
        if error.code == "RSF-D004" and (scenes := len({item.scene for item in items})) > 1:
            error.found += f"; {scenes} scenes hang together by equal files or common ground"
        raise
    return set(split.sides["val"])


def warn_of_unknown(items: Sequence[Item], show: Console) -> None:
    """Say loudly what was divided without knowing its scene."""
    if unknown := sum(not item.scene for item in items):
        show.warn(
            f"the scenes of {unknown} of {len(items)} are unknown: neighbours may stand on both sides, as --allow-leak "
            "allows, and held-out figures will flatter"
        )


def _advice(code: str, items: Sequence[Item]) -> str:
    placed = all(item.places for item in items)
    if code == "RSF-D011":
        ways = ["divide otherwise by `rsforge data split` (--by region takes folders)", "accept it with --allow-leak"]
    elif placed:
        ways = ["cut the scene into blocks by `rsforge data split --by block`"]
    else:
        ways = ["add scenes", "divide it by `rsforge data split`: --by block where windows are known, else --by patch "
                "--allow-leak"]  # fmt: skip
    return ", or ".join([*ways, "hold nothing out by --val-fraction 0"])


def in_order(judged: Sequence[JudgedPair]) -> list[JudgedPair]:
    """By contents, so that names change nothing."""
    return sorted(judged, key=lambda one: (one.digest, one.name))


def has_split(data: PairDataSettings) -> bool:
    """Whether there is a split to follow."""
    return stored_split.chosen(data.split, Path(data.data_dir)) is not None
