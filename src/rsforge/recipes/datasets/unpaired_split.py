"""Which images of two unpaired sets are trained on: pairs by their split or scene, other images by what they show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rsforge.data.images.tile_dataset import split_digest
from rsforge.data.pairs.dataset import JudgedPair
from rsforge.data.pairs.index import PairIndex, parse_scene_and_season
from rsforge.data.pairs.unpaired_dataset import OPTICAL, SAR, JudgedImage
from rsforge.data.splits.duplicates import Digests
from rsforge.data.splits.items import Item, SharedPixels, item_of_pair
from rsforge.data.splits.overlap import DisjointSet, find_shared_ground
from rsforge.data.splits.split_file import SUBSETS
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.pair_split import LEFT_OUT, Shares, StoredPairSplit, choose_sides, warn_of_unknown
from rsforge.recipes.shared_pixels import search_shared_pixels
from rsforge.wording import count_noun

MODALITIES = {SAR: "SAR", OPTICAL: "optical"}
BETWEEN = "between"
UNKNOWN = "unknown"
UNPLACED = "of scenes that are unknown or in several subsets"
REASONS = {
    "test": "like images of the subset test",
    LEFT_OUT: "like what the split leaves out",
    BETWEEN: "equal to images of several subsets",
    UNKNOWN: f"{UNPLACED} (--allow-leak trains on them)",
}
"""Why images without a partner are left out, by the place that ``_choose_subset`` gives them."""

SubsetsOf = Mapping[str, set[str]]
"""The subsets to which something belongs, by its name."""


@dataclass(frozen=True)
class ImageRef:
    """An image of a subset: digest of its contents, name and path, and whether some of its pixels hold no data."""

    digest: str
    name: str
    path: Path
    gaps: bool = False


@dataclass(frozen=True)
class UnpairedSubset:
    """The true pairs of one subset, and its images without a partner."""

    pairs: list[JudgedPair]
    unpaired: list[JudgedImage]

    def image_refs(self, modality: int) -> list[ImageRef]:
        """All SAR (1) or optical (2) images, sorted by digest."""
        refs = []
        for one in self.pairs:
            file = one.sar if modality == SAR else one.optical
            refs.append(ImageRef(file.digest, one.name, file.path, file.gaps))
        for image in self.unpaired:
            if image.image.modality == modality:
                refs.append(ImageRef(image.digest, image.name, image.image.path, image.gaps))
        return sorted(refs, key=lambda ref: (ref.digest, ref.name))


class UnpairedSides(NamedTuple):
    """What is trained on, what chooses the best epoch, and the true pairs that judge it."""

    train: UnpairedSubset
    val: UnpairedSubset
    test: list[JudgedPair]


def digest_split(train: UnpairedSubset, held_out: UnpairedSubset) -> str:
    """SHA-256 of the images of both subsets."""
    return split_digest(
        [*train.image_refs(SAR), *train.image_refs(OPTICAL)], [*held_out.image_refs(SAR), *held_out.image_refs(OPTICAL)]
    )


def divide_by_split(
    stored: StoredPairSplit,
    index: PairIndex,
    unpaired: Sequence[JudgedImage],
    *,
    allow_leak: bool,
    overlap_by_content: bool,
    console: Console,
) -> UnpairedSides:
    """Pairs as in the stored split, every other image with those that it equals or overlaps.

    The subset of an image without a partner is found in three steps, for all images of equal contents or
    shared pixels at once:

    1. the subsets of pairs that it would belong to by name, whose file it equals, or whose pixels or ground it shares;
    2. where there are none, the subsets of the pairs of its scene;
    3. where there are none either, train, if its scene is known to be another one.

    It is left out when a step gives several subsets, or test, or what the split leaves out. Images of unknown scenes
    are left out too, or trained on where leaks are allowed.
    """
    items = [item_of_pair(pair) for pair in index.pairs] + [_item_of(image) for image in unpaired]
    contents = stored.contents | {image.name: (image.digest,) for image in unpaired}
    wanted = overlap_by_content and bool(unpaired)
    shared = search_shared_pixels(items, contents, console, wanted=wanted, every_file=True)
    by_content = _subsets_by_content(stored, items, unpaired, shared)
    by_scene = _subsets_by_scene(stored, index)
    placed = defaultdict[str, list[JudgedImage]](list)
    for images in _group_images(unpaired, shared):
        placed[_choose_subset(images, by_content, by_scene)] += images
    unknown = placed.pop(UNKNOWN, []) if allow_leak else []
    if unknown:
        placed["train"] += unknown
        what = f"{count_noun(len(unknown), 'image')} without a partner, {UNPLACED}, trained on"
        console.warn(f"{what}, as --allow-leak allows: held-out figures will be too good")
    for place, reason in REASONS.items():
        left_out = placed[place]
        if left_out:
            more = ", ..." if len(left_out) > 1 else ""
            what = f"left out {count_noun(len(left_out), 'image')} without a partner, {reason}"
            console.warn(f"{what}: {left_out[0].name}{more}")
    train, held_out = (UnpairedSubset(stored.pairs[subset], placed[subset]) for subset in ("train", "val"))
    return UnpairedSides(train, held_out, stored.pairs["test"])


def _group_images(unpaired: Sequence[JudgedImage], shared: Sequence[SharedPixels]) -> list[list[JudgedImage]]:
    """The images, those of equal contents or shared pixels together."""
    sets = DisjointSet()
    for image in unpaired:
        sets.join(("image", image.name), ("content", image.digest))
    names = {image.name for image in unpaired}
    for both in shared:
        if names.issuperset(both.names):
            sets.join(*(("image", name) for name in both.names))
    groups = defaultdict[object, list[JudgedImage]](list)
    for image in unpaired:
        groups[sets.find_root(("image", image.name))].append(image)
    return list(groups.values())


def _choose_subset(images: Sequence[JudgedImage], by_content: SubsetsOf, by_scene: SubsetsOf) -> str:
    """The subset of images with equal contents or shared pixels, or ``BETWEEN`` or ``UNKNOWN``."""
    own = set().union(*(by_content[image.name] for image in images))
    if len(own) == 1:
        return own.pop()
    if own:
        return BETWEEN
    of_scenes = set().union(*(by_scene.get(image.image.scene, set()) for image in images))
    if len(of_scenes) == 1:
        return of_scenes.pop()
    if not of_scenes and all(image.image.scene for image in images):
        return "train"
    return UNKNOWN


def _subsets_by_content(
    stored: StoredPairSplit, items: Sequence[Item], unpaired: Sequence[JudgedImage], shared: Sequence[SharedPixels]
) -> SubsetsOf:
    """By image, the subsets of the pairs whose name it has, whose file it equals, or whose pixels or ground it shares.

    ``items`` are all pairs and images.
    """
    subsets_of_file = defaultdict[str, set[str]](set)
    for name, files in stored.contents.items():
        for file in files:
            subsets_of_file[file].add(stored.subset_of[name])
    result: dict[str, set[str]] = {}
    for image in unpaired:
        by_name = {stored.subset_of[name] for name in image.image.pairs if name in stored.subset_of}
        result[image.name] = by_name | subsets_of_file.get(image.digest, set())
    neighbours = [(one.name, other.name) for one, other in find_shared_ground(items)]
    for names in (*neighbours, *(both.names for both in shared)):
        for name, neighbour in (names, names[::-1]):
            if name in result and neighbour in stored.subset_of:
                result[name].add(stored.subset_of[neighbour])
    return result


def _subsets_by_scene(stored: StoredPairSplit, index: PairIndex) -> SubsetsOf:
    """By scene, the subsets of the pairs in the stored split, also of pairs that are not taken from the folder."""
    scenes = {pair.name: pair.scene for pair in index.pairs}
    result = defaultdict[str, set[str]](set)
    for name, subset in stored.subset_of.items():
        folder, _, stem = name.rpartition("/")
        scene = scenes.get(name) or parse_scene_and_season(index.layout, folder, stem)[0]
        if scene:
            result[scene].add(subset)
    return result


def divide_by_scene_or_content(
    pairs: Sequence[JudgedPair],
    unpaired: Sequence[JudgedImage],
    *,
    shares: Shares,
    seed: int,
    allow_leak: bool,
    overlap_by_content: bool,
    console: Console,
) -> UnpairedSides:
    """By whole scenes; of unknown scenes, a share of the pairs and of the images of each modality.

    ``shares`` are those of val and test. True pairs alone judge: without any in their side there is none. RSF-D011 for
    unknown scenes unless leaks are allowed, RSF-D004 for a single scene.
    """
    items: dict[str, Item] = {one.name: item_of_pair(one.pair) for one in pairs}
    items |= {image.name: _item_of(image) for image in unpaired}
    contents: Digests = {one.name: one.files for one in pairs}
    contents |= {image.name: (image.digest,) for image in unpaired}
    wanted = overlap_by_content and any(shares)
    shared = search_shared_pixels(list(items.values()), contents, console, wanted=wanted, every_file=True)
    parts = [[one.name for one in pairs]]
    for modality in MODALITIES:
        parts.append([image.name for image in unpaired if image.image.modality == modality])
    any_scene = any(item.scene for item in items.values())
    if not allow_leak or any_scene or _share_content(parts, items, contents, shared):
        parts = [list(items)]

    def choose(shares: Shares) -> dict[str, str]:
        subset_of = dict.fromkeys(items, "train")
        for part in parts if any(shares) else ():
            if len(part) > 1 or len(parts) == 1:
                digests = {name: contents[name] for name in part}
                members = [items[name] for name in part]
                subset_of |= choose_sides(members, digests, shared, shares, seed, allow_leak)
        return subset_of

    subset_of = choose(shares)
    if not any(subset_of[one.name] == "test" for one in pairs):
        subset_of = choose((shares[0], 0.0))
    if any(shares):
        warn_of_unknown(list(items.values()), console)
    own = {
        side: UnpairedSubset(
            [one for one in pairs if subset_of[one.name] == side],
            [image for image in unpaired if subset_of[image.name] == side],
        )
        for side in SUBSETS
    }
    return UnpairedSides(own["train"], own["val"], own["test"].pairs)


def _item_of(image: JudgedImage) -> Item:
    return Item(image.name, (image.image.path,), image.image.scene, footprint=image.footprint)


def _share_content(
    parts: Sequence[Sequence[str]], items: Mapping[str, Item], contents: Digests, shared: Sequence[SharedPixels]
) -> bool:
    """Whether two parts have a file or pixels in common, or show the same ground."""
    files_of_part = [{file for name in names for file in contents[name]} for names in parts]
    if sum(len(files) for files in files_of_part) > len(set().union(*files_of_part)):
        return True
    part_of = {name: number for number, names in enumerate(parts) for name in names}
    neighbours = [(one.name, other.name) for one, other in find_shared_ground(list(items.values()))]
    return any(part_of[one] != part_of[other] for one, other in (*neighbours, *(both.names for both in shared)))
