"""Which of two sets' images are trained on: pairs by their split or scene, other images by what they show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rsforge.data.images.tile_dataset import split_digest
from rsforge.data.pairs.dataset import JudgedPair
from rsforge.data.pairs.index import PairIndex, told_by_name
from rsforge.data.pairs.unpaired_dataset import JudgedImage
from rsforge.data.splits.duplicates import Digests
from rsforge.data.splits.items import Item, item_of
from rsforge.data.splits.overlap import same_ground
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.find_pairs import counted
from rsforge.recipes.datasets.pair_split import LEFT_OUT, Followed, held_out, warn_of_unknown

KINDS = {1: "SAR", 2: "optical"}
BETWEEN, UNKNOWN = "between", "unknown"
UNPLACED = "of scenes that are unknown or stand on several sides"
WHY = {
    "test": "like images of the side test",
    LEFT_OUT: "like what the split leaves out",
    BETWEEN: "equal to images of several sides",
    UNKNOWN: f"{UNPLACED} (--allow-leak trains on them)",
}

Known = Mapping[str, set[str]]
"""Sides by what stands on them."""


@dataclass(frozen=True)
class Shot:
    """An image on a side, by its contents."""

    digest: str
    name: str
    path: Path


@dataclass(frozen=True)
class Side:
    """What stands on one side: true pairs, and images without a partner."""

    pairs: list[JudgedPair]
    lone: list[JudgedImage]

    def shots(self, side: int) -> list[Shot]:
        """All SAR (1) or optical (2) images, by their contents."""
        paths = [(one.pair.sar, one.pair.optical)[side - 1] for one in self.pairs]
        shots = [Shot(one.files[side - 1], one.name, path) for one, path in zip(self.pairs, paths, strict=True)]
        shots += [Shot(one.digest, one.name, one.image.path) for one in self.lone if one.image.side == side]
        return sorted(shots, key=lambda shot: (shot.digest, shot.name))


def digest(train: Side, held: Side) -> str:
    """SHA-256 of which images are on which side."""
    sides = ([*side.shots(1), *side.shots(2)] for side in (train, held))
    return split_digest(*sides)


def by_split(
    found: Followed, index: PairIndex, lone: Sequence[JudgedImage], *, allow_leak: bool, show: Console
) -> tuple[Side, Side]:
    """(train, held out): pairs as the split says, each other image with those that it equals, overlaps or is near to.

    One of a scene that the split does not know is trained on. What has no place of its own is left out, or trained on
    where leaks are allowed.
    """
    like, near = _like(found, index, lone), _of_scenes(found, index)
    equal, placed = defaultdict[str, list[JudgedImage]](list), defaultdict[str, list[JudgedImage]](list)
    for one in lone:
        equal[one.digest].append(one)
    for ones in equal.values():
        placed[_place(ones, like, near)] += ones
    if allow_leak and (unknown := placed.pop(UNKNOWN, [])):
        placed["train"] += unknown
        told = f"{counted(len(unknown), 'image')} without a partner, {UNPLACED}, trained on"
        show.warn(f"{told}, as --allow-leak allows: held-out figures will flatter")
    for place, why in WHY.items():
        if there := placed[place]:
            more = ", ..." if len(there) > 1 else ""
            show.warn(f"left out {counted(len(there), 'image')} without a partner, {why}: {there[0].name}{more}")
    return Side(found.pairs["train"], placed["train"]), Side(found.pairs["val"], placed["val"])


def _place(ones: Sequence[JudgedImage], like: Known, near: Known) -> str:
    """Where equal images belong."""
    own = set().union(*(like[one.name] for one in ones))
    sides = own or set().union(*(near.get(one.image.scene, set()) for one in ones))
    if len(sides) == 1:
        return sides.pop()
    if own:
        return BETWEEN
    return "train" if not sides and all(one.image.scene for one in ones) else UNKNOWN


def _like(found: Followed, index: PairIndex, lone: Sequence[JudgedImage]) -> Known:
    """The sides of what each image would pair with, holds the bytes of, or shows the ground of."""
    of_file = defaultdict[str, set[str]](set)
    for name, files in found.contents.items():
        for file in files:
            of_file[file].add(found.side_of[name])
    like = {one.name: {found.side_of[name] for name in one.image.pairs if name in found.side_of} for one in lone}
    for one in lone:
        like[one.name] |= of_file.get(one.digest, set())
    for first, second in same_ground([*map(item_of, index.pairs), *map(_item, lone)]):
        for item, other in ((first, second), (second, first)):
            if item.name in like and other.name in found.side_of:
                like[item.name].add(found.side_of[other.name])
    return like


def _of_scenes(found: Followed, index: PairIndex) -> Known:
    """By scene, the sides that the split's pairs of it stand on, also of pairs that are not taken here."""
    scenes = {pair.name: pair.scene for pair in index.pairs}
    near = defaultdict[str, set[str]](set)
    for name, side in found.side_of.items():
        place, _, stem = name.rpartition("/")
        near[scenes.get(name) or told_by_name(index.layout, place, stem)[0]].add(side)
    near.pop("", None)
    return near


def by_scene_or_content(
    pairs: Sequence[JudgedPair],
    lone: Sequence[JudgedImage],
    *,
    val_fraction: float,
    seed: int,
    allow_leak: bool,
    show: Console,
) -> tuple[Side, Side]:
    """(train, held out), whole scenes at a time; where none is known, pairs and images of each kind by themselves.

    RSF-D011 for unknown scenes unless leaks are allowed, RSF-D004 for a single scene.
    """
    items: dict[str, Item] = {one.name: item_of(one.pair) for one in pairs} | {one.name: _item(one) for one in lone}
    contents: Digests = {one.name: one.files for one in pairs} | {one.name: (one.digest,) for one in lone}
    parts = [[one.name for one in pairs], *([o.name for o in lone if o.image.side == side] for side in KINDS)]
    if not allow_leak or any(item.scene for item in items.values()) or _tied(parts, items, contents):
        parts = [list(items)]
    held = set[str]()
    for names in parts if val_fraction else ():
        if len(names) > 1 or len(parts) == 1:
            those = [items[name] for name in names]
            held |= held_out(those, {name: contents[name] for name in names}, val_fraction, seed, allow_leak)
    if val_fraction:
        warn_of_unknown(list(items.values()), show)
    return (
        Side([one for one in pairs if one.name not in held], [one for one in lone if one.name not in held]),
        Side([one for one in pairs if one.name in held], [one for one in lone if one.name in held]),
    )


def _item(one: JudgedImage) -> Item:
    return Item(one.name, (one.image.path,), one.image.scene, ground=one.ground)


def _tied(parts: Sequence[Sequence[str]], items: Mapping[str, Item], contents: Digests) -> bool:
    """Whether a file of one part is also one of another, or shows the same ground."""
    held = [{file for name in names for file in contents[name]} for names in parts]
    part = {name: k for k, names in enumerate(parts) for name in names}
    shared = sum(map(len, held)) > len(set().union(*held))
    return shared or any(part[one.name] != part[other.name] for one, other in same_ground(list(items.values())))
