"""SAR and optical images as two sets, for training without pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.images.square_images import File
from rsforge.data.names.sides import side_of_path
from rsforge.data.pairs.dataset import (
    JudgedPair,
    PairDataset,
    Refusal,
    judge_in_threads,
    judge_pairs,
    open_squares,
)
from rsforge.data.pairs.index import PairIndex, choose_groups, find_pairs
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.reading import find_radiometry_of_files
from rsforge.data.pairs.unpaired_dataset import (
    OPTICAL,
    SAR,
    JudgedImage,
    UnpairedDataset,
    UnpairedImage,
    judge_image,
    list_unpaired_images,
    split_pair,
)
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.splits.split_file import Sides
from rsforge.data.views.view import PairViews
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.find_pairs import refuse_or_skip, report_grey, select_fitting, warn_of_small
from rsforge.recipes.datasets.image_folder import count_samples
from rsforge.recipes.datasets.named_samples import name_scenes, require_data
from rsforge.recipes.datasets.pair_split import PairSets, check_stored, follow_split, shorten_digests, sort_by_content
from rsforge.recipes.datasets.stored_split import refuse_mixture, report_sides
from rsforge.recipes.datasets.unpaired_split import (
    MODALITIES,
    UnpairedSides,
    UnpairedSubset,
    digest_split,
    divide_by_scene_or_content,
    divide_by_split,
)
from rsforge.recipes.views import describe_views, say_gaps, settle_pairs
from rsforge.settings.base import RunSettings
from rsforge.settings.pairs import PairTrainingSettings
from rsforge.wording import count_noun


@dataclass(frozen=True)
class _Request:
    """What all steps of loading need: the options, and where to report."""

    data: PairTrainingSettings
    run: RunSettings
    console: Console


def load_unpaired(data: PairTrainingSettings, run: RunSettings, console: Console, keep_bytes: int) -> PairSets:
    """Find, check, divide and open the images of both sets, whose names and numbers need not match."""
    request = _Request(data, run, console)
    index, unpaired = _find_images(data, console)
    sar = [pair.sar for pair in index.pairs] + [image.path for image in unpaired if image.modality == SAR]
    optical = [pair.optical for pair in index.pairs] + [image.path for image in unpaired if image.modality == OPTICAL]
    seen = settle_pairs(index.root, sar, optical, data, console)
    index.pairs = [replace(pair, views=seen) for pair in index.pairs]
    unpaired = [replace(image, view=seen.sar if image.modality == SAR else seen.optical) for image in unpaired]
    radiometry, sentence = find_radiometry_of_files(index.root, sar, data.radiometry, data.clip, seen.sar)
    console.say(f"radiometry {sentence}")
    pairs, images = _judge_images(index, unpaired, radiometry, request)
    sides = _divide(index, pairs, images, request)
    units: list[JudgedPair | JudgedImage] = [*pairs, *images]
    bands = max(_sar_bands_of(one) for one in units)  # the same for all SAR images
    return _open_datasets(sides, radiometry, bands, request, keep_bytes, seen)


def _find_images(data: PairTrainingSettings, console: Console) -> tuple[PairIndex, list[UnpairedImage]]:
    """The true pairs, and the images without a partner, up to ``max_per_terrain`` of each modality and folder."""
    root = Path(data.data_dir)
    most = data.max_per_terrain
    layout = find_layout(root, data.layout)
    index = PairIndex(root, layout.name, notes=layout.notes)
    try:
        index = find_pairs(root, layout=data.layout, terrains=data.terrains, max_per_terrain=most)
    except RsforgeError as error:
        if error.code != "RSF-D009":
            raise
    for note in index.notes:
        console.say(f"layout     {note}")
    if index.problems:
        console.warn(f"{count_noun(len(index.problems), 'problem')} ({': '.join(index.problems[0])})")
    unpaired: list[UnpairedImage] = []
    total = 0
    in_pairs = {path for pair in index.pairs for path in (pair.sar, pair.optical)}
    for group in choose_groups(layout.groups, data.terrains):
        images = list_unpaired_images(root, layout.name, group)
        total += len(images)
        for modality, folder in ((SAR, group.sar), (OPTICAL, group.optical)):
            others = [image for image in images if image.modality == modality and image.path not in in_pairs]
            if most is not None:
                taken = sum(path.parent == folder for path in in_pairs)
                others = others[: max(most - taken, 0)]
            unpaired += others
    _report_sets(index, unpaired, total, data, console)
    return index, unpaired


def _report_sets(
    index: PairIndex, unpaired: list[UnpairedImage], total: int, data: PairTrainingSettings, console: Console
) -> None:
    """Report the sizes of both sets; RSF-D001 where one is empty."""
    counts = {}
    for modality, name in MODALITIES.items():
        counts[name] = len(index.pairs) + sum(image.modality == modality for image in unpaired)
        if not counts[name]:
            raise RsforgeError("RSF-D001", f"no {name} images found in {index.root}", where=str(index.root))
    left_out = total - sum(counts.values())
    more = f", {left_out} left out by --max-per-terrain {data.max_per_terrain}" if left_out > 0 else ""
    console.say(f"two sets   {counts['SAR']} SAR and {count_noun(counts['optical'], 'optical image')}{more}")


def _judge_images(
    index: PairIndex, unpaired: Sequence[UnpairedImage], radiometry: Radiometry, request: _Request
) -> tuple[list[JudgedPair], list[JudgedImage]]:
    """The usable pairs and images; the two images of an unusable pair are checked by themselves."""
    allow_gray = request.data.allow_gray_optical
    judge = partial(judge_image, radiometry=radiometry, allow_gray_optical=allow_gray)
    images: list[JudgedImage] = []
    bad: list[Refusal] = []
    with request.console.progress("checked", 2 * len(index.pairs) + len(unpaired)) as meter:
        step_pair = partial(meter.step, 2)
        pairs, refused = judge_pairs(index.pairs, radiometry, allow_gray_optical=allow_gray, progress=step_pair)
        bad_pairs = {name for name, _ in refused}
        halves = [image for pair in index.pairs if pair.name in bad_pairs for image in split_pair(pair, index.root)]
        for number, (image, outcome) in enumerate(judge_in_threads(judge, [*halves, *unpaired])):
            if isinstance(outcome, RsforgeError):
                bad.append((image.name, outcome))
            else:
                images.append(outcome)
            if number >= len(halves):  # those of pairs are counted already
                meter.step()
    return _select_fitting(pairs, images, bad, index.root, request)


def _select_fitting(
    pairs: Sequence[JudgedPair],
    images: Sequence[JudgedImage],
    bad: list[Refusal],
    root: Path,
    request: _Request,
) -> tuple[list[JudgedPair], list[JudgedImage]]:
    """The pairs and images that can be used together; others are refused or skipped with the ``bad`` ones."""
    data, console = request.data, request.console
    total = count_noun(2 * len(pairs) + len(images) + len(bad), "image")
    units: list[JudgedPair | JudgedImage] = [*pairs, *images]
    fitting, unfit = select_fitting(
        [(one, (one.height, one.width), _sar_bands_of(one)) for one in units], data.image_size
    )
    refused = [*bad, *((name, error) for one, error in unfit for name in _file_names(one, root))]
    fitting_pairs = [one for one in fitting if isinstance(one, JudgedPair)]
    fitting_images = [one for one in fitting if isinstance(one, JudgedImage)]
    subset = UnpairedSubset(fitting_pairs, fitting_images)
    sar, optical = subset.image_refs(SAR), subset.image_refs(OPTICAL)
    refuse_or_skip(refused, total, root, console, request.run.on_bad, all_bad=not (sar and optical))
    pair_sizes = [(one.height, one.width) for one in fitting_pairs]
    image_sizes = [(one.height, one.width) for one in fitting_images]
    warn_of_small(pair_sizes + pair_sizes + image_sizes, "image", data.image_size, console)
    say_gaps([ref.gaps for ref in [*sar, *optical]], "image", console)
    report_grey(sar[0].path, console)
    return fitting_pairs, fitting_images


def _file_names(one: JudgedPair | JudgedImage, root: Path) -> list[str]:
    if isinstance(one, JudgedPair):
        return [image.name for image in split_pair(one.pair, root)]
    return [one.name]


def _sar_bands_of(one: JudgedPair | JudgedImage) -> int:
    """The number of SAR bands; 0 for an optical image."""
    if isinstance(one, JudgedPair):
        return one.sar_bands
    return one.bands if one.image.modality == SAR else 0


def _divide(index: PairIndex, pairs: list[JudgedPair], images: list[JudgedImage], request: _Request) -> UnpairedSides:
    """By the stored split if one is followed, else by scene or content."""
    data, console = request.data, request.console
    stored = follow_split(data, index, pairs, console)
    if stored is None:
        names = [*(one.name for one in pairs), *(one.name for one in images)]
        refuse_mixture(map(side_of_path, names), data.split, index.root)
        return divide_by_scene_or_content(
            pairs,
            images,
            shares=(data.val_fraction, data.test_fraction),
            seed=request.run.seed,
            allow_leak=data.allow_leak,
            overlap_by_content=data.overlap_by_content,
            console=console,
        )
    check_stored(stored, data, console)
    options = {"allow_leak": data.allow_leak, "overlap_by_content": data.overlap_by_content}
    return divide_by_split(stored, index, images, **options, console=console)


def _open_datasets(
    sides: UnpairedSides, radiometry: Radiometry, bands: int, request: _Request, keep_bytes: int, seen: PairViews
) -> PairSets:
    """The datasets of both subsets; true pairs are held out alone where there are any."""
    data = request.data
    seed = request.run.seed
    console = request.console
    train, held_out, _ = sides
    _check_both(train, "to train on")
    common: dict[str, Any] = {"image_size": data.image_size, "keep_bytes": keep_bytes}
    common["allow_gray_optical"] = data.allow_gray_optical

    def open_unpaired(subset: UnpairedSubset, *, shuffle_partners: bool, **turns: float) -> UnpairedDataset:
        sar, optical = subset.image_refs(SAR), subset.image_refs(OPTICAL)
        sar_files = [File(ref.path, ref.digest, ref.gaps) for ref in sar]
        optical_files = [File(ref.path, ref.digest, ref.gaps) for ref in optical]
        sar_images, optical_images = open_squares(
            sar_files, optical_files, radiometry, bands=bands, views=seen, **common
        )
        names, options = [ref.name for ref in sar], dict[str, Any](turns, shuffle_partners=shuffle_partners)
        return UnpairedDataset(sar_images, optical_images, names, seed=seed, **options)

    augmented = open_unpaired(train, flip=data.flip, half_turn=data.half_turn, shuffle_partners=True)
    matched = bool(held_out.pairs) or not held_out.unpaired
    if matched:
        true_pairs = sort_by_content(held_out.pairs)
        held: PairDataset | UnpairedDataset = PairDataset(true_pairs, radiometry=radiometry, seed=seed, **common)
    else:
        _check_both(held_out, "held out")
        held = open_unpaired(held_out, shuffle_partners=False)
    sizes = (len(augmented), len(held), len(sides.test))
    plain = augmented.plain()
    require_data(train=plain, val=held)
    _report_division(sizes, len(held_out.unpaired) if matched else None, console)
    return PairSets(
        train=augmented,
        plain=plain,
        held_out=held,
        identity={"split": digest_split(train, held_out), **count_samples(*sizes), **describe_views(seen)},
        radiometry=radiometry,
        sar_channels=bands,
        matched=matched,
        trained=shorten_digests(ref.digest for ref in [*train.image_refs(SAR), *train.image_refs(OPTICAL)]),
        test=PairDataset(sort_by_content(sides.test), radiometry=radiometry, seed=seed, **common),
        scenes=partial(name_scenes, {one.name: one.pair.scene for one in [*held_out.pairs, *sides.test]}),
    )


def _report_division(sizes: tuple[int, int, int], unused: int | None, console: Console) -> None:
    """Report what trains, chooses and judges; ``unused`` images go with true pairs, None where there are none."""
    how = "in order" if unused is None else "as true pairs"
    console.say(f"split      {sizes[0]} train, {sizes[1]} held out {how}")
    if unused:
        console.say(f"{count_noun(unused, 'held-out image')} without a partner not used")
    report_sides(Sides(*([*range(size)] for size in sizes)), console)


def _check_both(subset: UnpairedSubset, purpose: str) -> None:
    """RSF-D004 when a subset has no images of one modality."""
    for modality, name in MODALITIES.items():
        if not subset.image_refs(modality):
            fix = "add images, change --val-fraction, or divide by `rsforge data split`"
            raise RsforgeError("RSF-D004", f"there are no {name} images {purpose}", where="--val-fraction", fix=fix)
