"""SAR and optical images as two sets, for training without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.contents import Digests
from rsforge.data.items import Item, item_of
from rsforge.data.pair_dataset import JudgedPair, PairDataset, Refused, judge_pairs, outcomes, squares
from rsforge.data.pair_layouts import find_layout
from rsforge.data.pair_reading import radiometry_of_files
from rsforge.data.pairs import PairIndex, chosen, find_pairs
from rsforge.data.radiometry import Radiometry
from rsforge.data.tiles import split_digest
from rsforge.data.unpaired import JudgedImage, Lone, UnpairedDataset, judge_image, list_images
from rsforge.errors import RsforgeError
from rsforge.recipes.found_pairs import counted, fitting, leave_out, say_grey
from rsforge.recipes.pair_sides import Pairs, check_followed, followed, held_out
from rsforge.recipes.voice import Quiet, Voice
from rsforge.settings.base import RunSettings
from rsforge.settings.cyclegan import PairTrainingSettings

KINDS = {1: "SAR", 2: "optical"}


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


def load(data: PairTrainingSettings, run: RunSettings, show: Voice, keep_bytes: int) -> Pairs:
    """Find, judge, divide and open the images of both sets; names and numbers need not match."""
    index, lone = _found(data, show)
    sar = [pair.sar for pair in index.pairs] + [image.path for image in lone if image.side == 1]
    radiometry, sentence = radiometry_of_files(index.root, sar, data.radiometry, data.clip)
    show.say(f"radiometry {sentence}")
    pairs, images, refused = _judged(index, lone, radiometry, data, run, show)
    say_grey(sar[0], show)
    train, held = _divided(index, pairs, images, refused, data, run, show)
    bands = {one.sar_bands for one in pairs} | {one.bands for one in images if one.image.side == 1}
    return _opened(train, held, radiometry, bands.pop(), data, run, show, keep_bytes)


def _found(data: PairTrainingSettings, show: Voice) -> tuple[PairIndex, list[Lone]]:
    """True pairs, and the images that belong to none, up to as many of each terrain as are asked for."""
    root, most = Path(data.data_dir), data.max_per_terrain
    layout = find_layout(root, data.layout)
    index = PairIndex(root, layout.name, notes=layout.notes)
    try:
        index = find_pairs(root, layout=data.layout, terrains=data.terrains, max_per_terrain=most)
    except RsforgeError as error:
        if error.code != "RSF-D009":
            raise
    for note in index.notes:
        show.say(f"layout     {note}")
    if index.problems:
        show.warn(f"{counted(len(index.problems), 'problem')} ({': '.join(index.problems[0])})")
    lone, total = list[Lone](), 0
    used = {path for pair in index.pairs for path in (pair.sar, pair.optical)}
    for group in chosen(layout.groups, data.terrains):
        images = list_images(root, layout.name, group)
        total += len(images)
        for side, folder in ((1, group.sar), (2, group.optical)):
            own = [image for image in images if image.side == side and image.path not in used]
            taken = sum(path.parent == folder for path in used)
            lone += own if most is None else own[: max(most - taken, 0)]
    _say_sets(index, lone, total, data, show)
    return index, lone


def _say_sets(index: PairIndex, lone: list[Lone], total: int, data: PairTrainingSettings, show: Voice) -> None:
    """RSF-D001 where one of the sets is empty."""
    counts = {kind: len(index.pairs) + sum(image.side == side for image in lone) for side, kind in KINDS.items()}
    for kind, count in counts.items():
        if not count:
            raise RsforgeError("RSF-D001", f"no {kind} images found in {index.root}", where=str(index.root))
    cut = total - sum(counts.values())
    told = f", {cut} left aside by --max-per-terrain {data.max_per_terrain}" if cut > 0 else ""
    show.say(f"two sets   {counts['SAR']} SAR and {counts['optical']} optical images{told}")


def _judged(
    index: PairIndex,
    lone: Sequence[Lone],
    radiometry: Radiometry,
    data: PairTrainingSettings,
    run: RunSettings,
    show: Voice,
) -> tuple[list[JudgedPair], list[JudgedImage], list[Refused]]:
    """Pairs, images without a partner, and the pairs that are none: of those each image stands for itself."""
    allow = data.allow_gray_optical
    with show.progress("judged", len(index.pairs) + len(lone)) as meter:
        pairs, refused = judge_pairs(index.pairs, radiometry, allow_gray_optical=allow, progress=meter.step)
        parted, root = {name for name, _ in refused}, index.root
        files = [
            Lone(path, path.relative_to(root).as_posix(), side, pair.scene)
            for pair in index.pairs if pair.name in parted
            for side, path in ((1, pair.sar), (2, pair.optical))
        ]  # fmt: skip
        images, bad = list[JudgedImage](), list[Refused]()
        judge = partial(judge_image, radiometry=radiometry, allow_gray_optical=allow)
        for image, outcome in outcomes(judge, [*files, *lone]):
            if isinstance(outcome, RsforgeError):
                bad.append((image.name, outcome))
            else:
                images.append(outcome)
            meter.step()
    units: list[JudgedPair | JudgedImage] = [*pairs, *images]
    kept, unfit = fitting([(one, (one.height, one.width), _bands(one)) for one in units], data.image_size, show)
    bad += [(one.name, error) for one, error in unfit]
    leave_out(bad, len(units) + len(bad) - len(unfit), root, show, run.on_bad)
    return (
        [one for one in kept if isinstance(one, JudgedPair)],
        [one for one in kept if isinstance(one, JudgedImage)],
        refused,
    )


def _bands(one: JudgedPair | JudgedImage) -> int:
    """Of its SAR image; 0 where it has none."""
    if isinstance(one, JudgedPair):
        return one.sar_bands
    return one.bands if one.image.side == 1 else 0


def _divided(
    index: PairIndex,
    pairs: list[JudgedPair],
    lone: list[JudgedImage],
    refused: list[Refused],
    data: PairTrainingSettings,
    run: RunSettings,
    show: Voice,
) -> tuple[Side, Side]:
    found = followed(data, index, pairs, refused, show)
    if found is None:
        return by_scene_or_content(pairs, lone, val_fraction=data.val_fraction, seed=run.seed)
    check_followed(found, data, show)
    of_scene = {one.pair.scene: side for side, members in found.items() for one in members if one.pair.scene}
    train, val = ([one for one in lone if of_scene.get(one.image.scene, "train") == side] for side in ("train", "val"))
    return Side(found["train"], train), Side(found["val"], val)


def by_scene_or_content(
    pairs: Sequence[JudgedPair], lone: Sequence[JudgedImage], *, val_fraction: float, seed: int
) -> tuple[Side, Side]:
    """(train, held out): whole scenes where they are known, else pairs and images of each kind by themselves."""
    held = set[str]()
    items: dict[str, Item] = {one.name: item_of(one.pair) for one in pairs}
    items |= {one.name: Item(one.name, (one.image.path,), one.image.scene) for one in lone}
    contents: Digests = {one.name: one.files for one in pairs} | {one.name: (one.digest,) for one in lone}
    parts = [[one.name for one in pairs], *([o.name for o in lone if o.image.side == side] for side in KINDS)]
    if any(item.scene for item in items.values()) or _share(parts, contents):
        parts = [list(items)]
    for names in parts:
        if val_fraction and (len(names) > 1 or len(parts) == 1):
            those = [items[name] for name in names]
            held |= held_out(those, {name: contents[name] for name in names}, val_fraction, seed, True, Quiet())
    return (
        Side([one for one in pairs if one.name not in held], [one for one in lone if one.name not in held]),
        Side([one for one in pairs if one.name in held], [one for one in lone if one.name in held]),
    )


def _share(parts: Sequence[Sequence[str]], contents: Digests) -> bool:
    """Whether a file of one part is also one of another."""
    held = [{digest for name in names for digest in contents[name]} for names in parts]
    return sum(map(len, held)) > len(set().union(*held))


def digest(train: Side, held: Side) -> str:
    """SHA-256 of which images are on which side."""
    sides = ([*side.shots(1), *side.shots(2)] for side in (train, held))
    return split_digest(*sides)


def _opened(
    train: Side,
    held: Side,
    radiometry: Radiometry,
    bands: int,
    data: PairTrainingSettings,
    run: RunSettings,
    show: Voice,
    keep_bytes: int,
) -> Pairs:
    _check_both(train, "to train on")
    common: dict[str, Any] = {
        "image_size": data.image_size,
        "allow_gray_optical": data.allow_gray_optical,
        "keep_bytes": keep_bytes,
    }

    def dataset(side: Side, *, flip: float, drawn: bool) -> UnpairedDataset:
        sar, optical = side.shots(1), side.shots(2)
        files = [[(shot.path, shot.digest) for shot in shots] for shots in (sar, optical)]
        both = squares(files[0], files[1], radiometry, bands=bands, **common)
        return UnpairedDataset(*both, [shot.name for shot in sar], seed=run.seed, flip=flip, drawn=drawn)

    augmented, matched = dataset(train, flip=data.flip, drawn=True), bool(held.pairs) or not held.lone
    if matched:
        true = sorted(held.pairs, key=lambda one: (one.digest, one.name))
        kept: PairDataset | UnpairedDataset = PairDataset(true, radiometry=radiometry, seed=run.seed, **common)
    else:
        _check_both(held, "held out")
        kept = dataset(held, flip=0.0, drawn=False)
    show.say(f"split      {len(augmented)} train, {len(kept)} held out {'as true pairs' if matched else 'in order'}")
    identity = {"split": digest(train, held), "train": len(augmented), "held_out": len(kept)}
    return Pairs(augmented, augmented.plain(), kept, identity, radiometry, bands, matched)


def _check_both(side: Side, what: str) -> None:
    for number, kind in KINDS.items():
        if not side.shots(number):
            fix = "add images, change --val-fraction, or divide by `rsforge data split`"
            raise RsforgeError("RSF-D004", f"there are no {kind} images {what}", where="--val-fraction", fix=fix)
