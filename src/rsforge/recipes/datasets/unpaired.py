"""SAR and optical images as two sets, for training without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.pairs.dataset import JudgedPair, PairDataset, Refused, judge_pairs, outcomes, squares
from rsforge.data.pairs.index import PairIndex, chosen, find_pairs
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.reading import radiometry_of_files
from rsforge.data.pairs.unpaired_dataset import JudgedImage, Lone, UnpairedDataset, judge_image, list_images, lone_of
from rsforge.data.sar.radiometry import Radiometry
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.find_pairs import counted, fitting, leave_out, say_grey, say_small
from rsforge.recipes.datasets.pair_split import Pairs, brief, check_followed, followed
from rsforge.recipes.datasets.unpaired_split import KINDS, Side, by_scene_or_content, by_split, digest
from rsforge.settings.base import RunSettings
from rsforge.settings.pairs import PairTrainingSettings


def load(data: PairTrainingSettings, run: RunSettings, show: Console, keep_bytes: int) -> Pairs:
    """Find, judge, divide and open the images of both sets; names and numbers need not match."""
    index, lone = _found(data, show)
    sar = [pair.sar for pair in index.pairs] + [image.path for image in lone if image.side == 1]
    radiometry, sentence = radiometry_of_files(index.root, sar, data.radiometry, data.clip)
    show.say(f"radiometry {sentence}")
    pairs, images = _judged(index, lone, radiometry, data, run, show)
    train, held = _divided(index, pairs, images, data, run, show)
    bands = {one.sar_bands for one in pairs} | {one.bands for one in images if one.image.side == 1}
    return _opened(train, held, radiometry, bands.pop(), data, run, show, keep_bytes)


def _found(data: PairTrainingSettings, show: Console) -> tuple[PairIndex, list[Lone]]:
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


def _say_sets(index: PairIndex, lone: list[Lone], total: int, data: PairTrainingSettings, show: Console) -> None:
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
    show: Console,
) -> tuple[list[JudgedPair], list[JudgedImage]]:
    """Pairs, images without a partner, and the pairs that are none: of those each image stands for itself."""
    allow = data.allow_gray_optical
    judge = partial(judge_image, radiometry=radiometry, allow_gray_optical=allow)
    images, bad = list[JudgedImage](), list[Refused]()
    with show.progress("judged", 2 * len(index.pairs) + len(lone)) as meter:
        step = partial(meter.step, 2)
        pairs, refused = judge_pairs(index.pairs, radiometry, allow_gray_optical=allow, progress=step)
        parted = {name for name, _ in refused}
        files = [image for pair in index.pairs if pair.name in parted for image in lone_of(pair, index.root)]
        for number, (image, outcome) in enumerate(outcomes(judge, [*files, *lone])):
            if isinstance(outcome, RsforgeError):
                bad.append((image.name, outcome))
            else:
                images.append(outcome)
            meter.step(int(number >= len(files)))
    return _fitting(pairs, images, bad, index.root, data, run, show)


def _fitting(
    pairs: Sequence[JudgedPair],
    images: Sequence[JudgedImage],
    bad: list[Refused],
    root: Path,
    data: PairTrainingSettings,
    run: RunSettings,
    show: Console,
) -> tuple[list[JudgedPair], list[JudgedImage]]:
    """Those that can be used together; the others are left out with the ``bad`` ones."""
    total = counted(2 * len(pairs) + len(images) + len(bad), "image")
    units: list[JudgedPair | JudgedImage] = [*pairs, *images]
    kept, unfit = fitting([(one, (one.height, one.width), _bands(one)) for one in units], data.image_size)
    bad = [*bad, *((name, error) for one, error in unfit for name in _names(one, root))]
    whole = [one for one in kept if isinstance(one, JudgedPair)]
    single = [one for one in kept if isinstance(one, JudgedImage)]
    sides = [Side(whole, single).shots(side) for side in KINDS]
    leave_out(bad, total, root, show, run.on_bad, all_bad=not all(sides))
    sizes = 2 * [(one.height, one.width) for one in whole] + [(one.height, one.width) for one in single]
    say_small(sizes, "image", data.image_size, show)
    say_grey(sides[0][0].path, show)
    return whole, single


def _names(one: JudgedPair | JudgedImage, root: Path) -> list[str]:
    """Of its files."""
    return [image.name for image in lone_of(one.pair, root)] if isinstance(one, JudgedPair) else [one.name]


def _bands(one: JudgedPair | JudgedImage) -> int:
    """Of its SAR image; 0 where it has none."""
    if isinstance(one, JudgedPair):
        return one.sar_bands
    return one.bands if one.image.side == 1 else 0


def _divided(
    index: PairIndex,
    pairs: list[JudgedPair],
    lone: list[JudgedImage],
    data: PairTrainingSettings,
    run: RunSettings,
    show: Console,
) -> tuple[Side, Side]:
    leak = data.allow_leak
    found = followed(data, index, pairs, show)
    if found is None:
        share, seed = data.val_fraction, run.seed
        return by_scene_or_content(pairs, lone, val_fraction=share, seed=seed, allow_leak=leak, show=show)
    check_followed(found, data, show)
    return by_split(found, index, lone, allow_leak=leak, show=show)


def _opened(
    train: Side,
    held: Side,
    radiometry: Radiometry,
    bands: int,
    data: PairTrainingSettings,
    run: RunSettings,
    show: Console,
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
    if matched and held.lone:
        show.say(f"{counted(len(held.lone), 'held-out image')} without a partner not used")
    identity = {"split": digest(train, held), "train": len(augmented), "held_out": len(kept)}
    shots = [*train.shots(1), *train.shots(2)]
    trained = brief(shot.digest for shot in shots)
    return Pairs(augmented, augmented.plain(), kept, identity, radiometry, bands, matched, trained)


def _check_both(side: Side, what: str) -> None:
    for number, kind in KINDS.items():
        if not side.shots(number):
            fix = "add images, change --val-fraction, or divide by `rsforge data split`"
            raise RsforgeError("RSF-D004", f"there are no {kind} images {what}", where="--val-fraction", fix=fix)
