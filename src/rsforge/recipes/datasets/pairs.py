"""From the Data section to judged, divided, ready pairs of SAR and optical images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsforge.data.images.tile_dataset import split_digest
from rsforge.data.pairs.dataset import JudgedPair, PairDataset
from rsforge.data.pairs.index import PairIndex
from rsforge.data.pairs.reading import radiometry_of
from rsforge.data.pairs.unpaired_dataset import Half, UnpairedDataset
from rsforge.data.sar.radiometry import EIGHT_BIT
from rsforge.data.synthetic.pair_dataset import SyntheticPairs
from rsforge.data.synthetic.write_pairs import PER_SCENE
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import unpaired
from rsforge.recipes.datasets.find_pairs import find, judge
from rsforge.recipes.datasets.image_folder import KEEP_BYTES, SYNTHETIC, Part, refuse_same
from rsforge.recipes.datasets.pair_split import Divided, brief, by_scene, check_followed, followed, in_order
from rsforge.recipes.datasets.pair_split import Pairs as Pairs
from rsforge.settings.base import RunSettings
from rsforge.settings.pairs import PairTrainingSettings

SYNTHETIC_COUNT = 256


def load(data: PairTrainingSettings, run: RunSettings, show: Console) -> Pairs:
    """Find, judge, divide and open the pairs that ``data`` names; nothing is kept in memory for a plan."""
    keep_bytes = 0 if show.dry_run else KEEP_BYTES
    if data.data_dir == SYNTHETIC:
        show.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} drawn pairs, not satellite images")
        return drawn(SYNTHETIC_COUNT, data, show, seed=run.seed, keep_bytes=keep_bytes)
    if "data_dir" not in data.model_fields_set and not Path(data.data_dir).exists():
        fix = "name the folder of your pairs with --data-dir, or draw some by --data-dir synthetic"
        raise RsforgeError("RSF-D001", f"no pairs found in {data.data_dir}", where="--data-dir", fix=fix)
    refuse_same(Path(data.data_dir), run.output_dir)
    opened = unpaired.load if data.unpaired else _pairs
    return opened(data, run, show, keep_bytes)


def _pairs(data: PairTrainingSettings, run: RunSettings, show: Console, keep_bytes: int) -> Pairs:
    index = find(data, show, run.on_bad)
    radiometry, sentence = radiometry_of(index, data.radiometry, data.clip)
    show.say(f"radiometry {sentence}")
    judged = judge(index, radiometry, data, data.image_size, show, run.on_bad)
    train, held_out = _divided(data, run, index, judged, show)
    common: dict[str, Any] = {"radiometry": radiometry, "image_size": data.image_size, "seed": run.seed,
                              "allow_gray_optical": data.allow_gray_optical, "keep_bytes": keep_bytes}  # fmt: skip
    augmented = PairDataset(train, **common, flip=data.flip)
    identity = {"split": split_digest(train, held_out), "train": len(train), "held_out": len(held_out)}
    kept = PairDataset(held_out, **common)
    trained = brief(digest for one in train for digest in one.files)
    scaled = any(min(one.height, one.width) != data.image_size for one in train)
    return Pairs(
        augmented, augmented.plain(), kept, identity, radiometry, judged[0].sar_bands, trained=trained, scaled=scaled
    )


def _divided(
    data: PairTrainingSettings, run: RunSettings, index: PairIndex, judged: Sequence[JudgedPair], show: Console
) -> Divided:
    """By the split that is followed, else by scene."""
    found = followed(data, index, judged, show)
    if found is None:
        options: dict[str, Any] = {"val_fraction": data.val_fraction, "seed": run.seed, "allow_leak": data.allow_leak}
        return by_scene(judged, **options, show=show)
    check_followed(found, data, show)
    return in_order(found.pairs["train"]), in_order(found.pairs["val"])


def drawn(count: int, data: PairTrainingSettings, show: Console, *, seed: int, keep_bytes: int = KEEP_BYTES) -> Pairs:
    """``count`` drawn pairs, the last scenes of them held out."""
    edge = held_out_edge(count, data.val_fraction)
    flipped = draw_pairs(count, data.image_size, seed, keep_bytes, show, flip=data.flip)
    plain = flipped.plain()
    train: IndexedDataset = Part(flipped, range(edge))
    shown: IndexedDataset = Part(plain, range(edge))
    if data.unpaired:
        names = [shown.name(index) for index in range(edge)]
        sets = UnpairedDataset(Half(shown, 0), Half(shown, 1), names, seed=seed, flip=data.flip)
        train, shown = sets, sets.plain()
    identity = {"split": f"{plain.digest} at {edge}", "train": edge, "held_out": count - edge}
    return Pairs(train, shown, Part(plain, range(edge, count)), identity, EIGHT_BIT, 1)


def draw_pairs(
    count: int, size: int, seed: int, keep_bytes: int, show: Console, *, flip: float = 0.0
) -> SyntheticPairs:
    voice = show if keep_bytes else SilentConsole()
    with voice.progress("drawn", count) as meter:
        options: dict[str, Any] = {"image_size": size, "flip": flip, "keep_bytes": keep_bytes}
        return SyntheticPairs(count, seed=seed, **options, progress=meter.step)


def held_out_edge(count: int, val_fraction: float) -> int:
    """How many pairs stand before the scenes that are held out; RSF-D004 for none."""
    scenes = -(-count // PER_SCENE)
    held_out = max(round(scenes * val_fraction), int(val_fraction > 0))
    if held_out >= scenes:
        raise RsforgeError("RSF-D004", f"--val-fraction {val_fraction:g} leaves nothing to train on")
    return min((scenes - held_out) * PER_SCENE, count)
