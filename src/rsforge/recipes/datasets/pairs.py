"""Training and held-out pairs of SAR and optical images from the options of the section Data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rsforge.data.pairs.dataset import JudgedPair, PairDataset
from rsforge.data.pairs.index import PairIndex
from rsforge.data.pairs.reading import find_radiometry
from rsforge.data.pairs.unpaired_dataset import OneModality, UnpairedDataset
from rsforge.data.sar.radiometry import EIGHT_BIT
from rsforge.data.splits.items import item_of_pair
from rsforge.data.splits.split_file import LEAST_SCENES, SUBSETS, Sides
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.data.synthetic.write_pairs import PER_SCENE
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import stored_split, unpaired
from rsforge.recipes.datasets.find_pairs import list_pairs, select_usable, view_pairs
from rsforge.recipes.datasets.image_folder import (
    KEEP_BYTES,
    SYNTHETIC,
    count_samples,
    identify_sides,
    name_drawn,
    refuse_shared_folder,
)
from rsforge.recipes.datasets.named_samples import name_scenes, require_data
from rsforge.recipes.datasets.pair_split import PairSets as PairSets
from rsforge.recipes.datasets.pair_split import (
    check_stored,
    divide_by_scene,
    follow_split,
    shorten_digests,
    sort_by_content,
)
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.views import describe_views
from rsforge.settings.base import RunSettings
from rsforge.settings.pairs import DividedPairSettings, PairTrainingSettings

SYNTHETIC_COUNT = 256


def load_pairs(data: DividedPairSettings, run: RunSettings, console: Console) -> PairSets:
    """Find, check, divide and open the pairs that ``data`` names; nothing is cached for a dry run."""
    keep_bytes = 0 if console.dry_run else KEEP_BYTES
    if data.data_dir == SYNTHETIC:
        console.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} synthetic pairs, not satellite images")
        return draw_sets(SYNTHETIC_COUNT, data, console, seed=run.seed, keep_bytes=keep_bytes)
    if not Path(data.data_dir).exists():
        fix = "name the folder of your pairs with --data-dir, or draw some by --data-dir synthetic"
        what = f"no pairs found in {data.data_dir}: the folder does not exist"
        raise RsforgeError("RSF-D001", what, where="--data-dir", fix=fix)
    refuse_shared_folder(Path(data.data_dir), run.output_dir)
    say_look(data, console)
    if isinstance(data, PairTrainingSettings) and data.unpaired:
        return unpaired.load_unpaired(data, run, console, keep_bytes)
    return _load_folder(data, run, console, keep_bytes)


def say_look(data: DividedPairSettings, console: Console) -> None:
    """Say what mirrored and turned pairs take for granted of the side from which the radar looks."""
    turns = " and ".join(
        f"{option} {chance:g}" for option, chance in (("--flip", data.flip), ("--half-turn", data.half_turn)) if chance
    )
    if turns:
        console.say(
            f"look       {turns}: pairs are also shown as a radar that looks from the other side would see them"
        )


def _load_folder(data: DividedPairSettings, run: RunSettings, console: Console, keep_bytes: int) -> PairSets:
    index = list_pairs(data, console, run.on_bad)
    seen = view_pairs(index, data, console)
    radiometry, sentence = find_radiometry(index, data.radiometry, data.clip)
    console.say(f"radiometry {sentence}")
    judged = select_usable(index, radiometry, data, data.image_size, console, run.on_bad)
    sides = _divide(data, run, index, judged, console)
    common: dict[str, Any] = {
        "radiometry": radiometry,
        "image_size": data.image_size,
        "seed": run.seed,
        "allow_gray_optical": data.allow_gray_optical,
        "keep_bytes": keep_bytes,
    }
    augmented = PairDataset(sides.train, **common, flip=data.flip, half_turn=data.half_turn)
    plain, held_out = augmented.plain(), PairDataset(sides.val, **common)
    require_data(train=plain, val=held_out)
    return PairSets(
        train=augmented,
        plain=plain,
        held_out=held_out,
        identity=identify_sides(sides) | describe_views(seen),
        radiometry=radiometry,
        sar_channels=judged[0].sar_bands,
        trained=shorten_digests(digest for one in sides.train for digest in one.files),
        scaled=any(min(one.height, one.width) != data.image_size for one in sides.train),
        train_metadata=[one.pair.metadata for one in sides.train],
        held_out_metadata=[one.pair.metadata for one in sides.val],
        test=PairDataset(sides.test, **common),
        test_metadata=[one.pair.metadata for one in sides.test],
        scenes=partial(name_scenes, {one.name: one.pair.scene for one in judged}),
    )


def _divide(
    data: DividedPairSettings, run: RunSettings, index: PairIndex, judged: Sequence[JudgedPair], console: Console
) -> Sides[JudgedPair]:
    """By the stored split if one is followed, else by scene."""
    stored = follow_split(data, index, judged, console)
    if stored is None:
        stored_split.refuse_mixture((item_of_pair(one.pair).side for one in judged), data.split, index.root)
        return divide_by_scene(
            judged,
            shares=(data.val_fraction, data.test_fraction),
            seed=run.seed,
            allow_leak=data.allow_leak,
            overlap_by_content=data.overlap_by_content,
            console=console,
        )
    check_stored(stored, data, console)
    return Sides(*(sort_by_content(stored.pairs[subset]) for subset in SUBSETS))


def draw_sets(
    count: int, data: DividedPairSettings, console: Console, *, seed: int, keep_bytes: int = KEEP_BYTES
) -> PairSets:
    """``count`` synthetic pairs, the last scenes of them held out, those for judging before."""
    start, end = find_held_out(count, data.val_fraction, data.test_fraction)
    turns: dict[str, Any] = {"flip": data.flip, "half_turn": data.half_turn}
    flipped = draw_pairs(count, data.image_size, seed, keep_bytes, console, **turns)
    without_flips = flipped.plain()
    train: IndexedDataset = SelectedItems(flipped, range(start))
    plain: IndexedDataset = SelectedItems(without_flips, range(start))
    if isinstance(data, PairTrainingSettings) and data.unpaired:
        names = [plain.name(index) for index in range(start)]
        sets = UnpairedDataset(OneModality(plain, 0), OneModality(plain, 1), names, seed=seed, **turns)
        train = sets
        plain = sets.plain()
    return PairSets(
        train=train,
        plain=plain,
        held_out=SelectedItems(without_flips, range(end, count)),
        identity={
            "split": name_drawn(without_flips.digest, count, count - end, end - start),
            **count_samples(start, count - end, end - start),
        },
        radiometry=EIGHT_BIT,
        sar_channels=1,
        train_metadata=[without_flips.metadata(index) for index in range(start)],
        held_out_metadata=[without_flips.metadata(index) for index in range(end, count)],
        test=SelectedItems(without_flips, range(start, end)),
        test_metadata=[without_flips.metadata(index) for index in range(start, end)],
        scenes=partial(name_scenes, {without_flips.name(k): without_flips.scene(k) for k in range(count)}),
    )


def draw_pairs(count: int, size: int, seed: int, keep_bytes: int, console: Console, **turns: float) -> SyntheticPairs:
    """Synthetic pairs of ``size`` pixels, with a progress bar where they are made now; ``turns`` are theirs."""
    console = console if keep_bytes else SilentConsole()
    with console.progress("synthetic pairs", count) as meter:
        return SyntheticPairs(count, image_size=size, seed=seed, keep_bytes=keep_bytes, progress=meter.step, **turns)


def find_held_out(count: int, val_fraction: float, test_fraction: float | None) -> tuple[int, int]:
    """The indices of the first pair to judge by and of the first to choose by, each that of a whole scene.

    RSF-D004 when nothing is left to train on.
    """
    scenes = math.ceil(count / PER_SCENE)
    val = max(round(scenes * val_fraction), int(val_fraction > 0))
    if test_fraction is None:
        test_fraction = val_fraction if val >= LEAST_SCENES and 2 * val < scenes else 0.0
    test = max(round(scenes * test_fraction), int(test_fraction > 0))
    if val + test >= scenes:
        shares = f"--val-fraction {val_fraction:g}" + (f" and --test-fraction {test_fraction:g}" if test else "")
        raise RsforgeError("RSF-D004", f"{shares} {'leave' if test else 'leaves'} nothing to train on")
    return min((scenes - val - test) * PER_SCENE, count), min((scenes - val) * PER_SCENE, count)
