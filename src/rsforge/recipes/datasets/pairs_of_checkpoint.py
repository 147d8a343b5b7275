"""The pairs that a checkpoint was trained on, and those it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rsforge.data.images.tile_dataset import split_digest
from rsforge.data.pairs.dataset import JudgedPair, PairDataset
from rsforge.data.pairs.index import PairIndex
from rsforge.data.pairs.reading import radiometry_of
from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import stored_split, unpaired_split
from rsforge.recipes.datasets.find_pairs import OnBad, counted, find, judge
from rsforge.recipes.datasets.image_folder import KEEP_BYTES, SYNTHETIC, Part
from rsforge.recipes.datasets.pair_split import Divided, brief, by_scene, followed, has_split
from rsforge.recipes.datasets.pair_split import Pairs as Pairs
from rsforge.recipes.datasets.pairs import SYNTHETIC_COUNT, draw_pairs, held_out_edge
from rsforge.settings.pairs import PairDataSettings


@dataclass(frozen=True)
class Measured:
    """Pairs to measure and the scene of each, empty where unknown."""

    samples: IndexedDataset
    scenes: list[str]
    trained: int | None = None


def one_side(data: PairDataSettings, side: str, show: Console, *, on_bad: OnBad, state: Mapping[str, Any]) -> Measured:
    """The pairs of ``side`` as the checkpoint ``state`` takes them: at its image size and radiometry.

    Without a split the division of the training is made again for train and val. RSF-U005 when there is none to make,
    RSF-D012 when it is another one, RSF-D004 for an empty side, RSF-D009 for SAR bands that the model does not take.
    """
    keep_bytes = 0 if show.dry_run else KEEP_BYTES
    if data.data_dir == SYNTHETIC:
        return _one_drawn_side(side, show, state, keep_bytes)
    own = side in ("train", "val") and not has_split(data)
    data = _as_trained(data, state) if own else data
    index = find(data, show, on_bad)
    radiometry, size = _radiometry(index, data, state, show), state["image_size"]
    judged = judge(index, radiometry, data, size, show, on_bad)
    _check_bands(judged[0].sar_bands, state)
    if own:
        chosen = _made_again(judged, side, state)
    elif side == "all":
        chosen = judged
    else:
        found = followed(data, index, judged, show)
        if found is None:
            raise stored_split.unsided(data.split, side, index.root)
        ours = _digest((found.pairs["train"], found.pairs["val"]), state) == _trained(state)
        chosen = stored_split.measured(found.pairs, side, show, ours=ours)
    trained = _trained_on(chosen, state)
    if trained and side != "train":
        show.warn(_seen(trained, len(chosen)))
    common: dict[str, Any] = {"allow_gray_optical": data.allow_gray_optical, "keep_bytes": keep_bytes}
    samples = PairDataset(chosen, radiometry=radiometry, image_size=size, seed=0, **common)
    return Measured(samples, [one.pair.scene for one in chosen], trained)


def _trained_on(chosen: Sequence[JudgedPair], state: Mapping[str, Any]) -> int | None:
    """How many of the pairs have a file that the model was trained on; None where the checkpoint does not say."""
    if "trained" not in state:
        return None
    known = set(state["trained"])
    return sum(not known.isdisjoint(brief(one.files)) for one in chosen)


def _trained(state: Mapping[str, Any]) -> str:
    return str(state.get("images", {}).get("split", ""))


def _settings(state: Mapping[str, Any], section: str) -> dict[str, Any]:
    """What the training was told, as far as the checkpoint says."""
    return dict(state.get("settings", {}).get(section, {}))


def _as_trained(data: PairDataSettings, state: Mapping[str, Any]) -> PairDataSettings:
    """The same choice of pairs as in the training, where another one is not typed."""
    before = _settings(state, "data")
    names = {"layout", "terrains", "max_per_terrain", "allow_gray_optical"} - data.model_fields_set
    return data.model_copy(update={name: before[name] for name in sorted(names & before.keys())})


def _radiometry(index: PairIndex, data: PairDataSettings, state: Mapping[str, Any], show: Console) -> Radiometry:
    """That of the checkpoint, unless another one is declared."""
    stored = Radiometry.from_dict(state["radiometry"], where="the checkpoint")
    if data.radiometry != "auto":
        stored, sentence = radiometry_of(index, data.radiometry, data.clip)
    else:
        stored = Radiometry(stored.unit, *(data.clip or (stored.low, stored.high)))
        said = "--clip says" if data.clip else "the model was trained"
        sentence = f"{stored.unit} kept from {stored.low:g} to {stored.high:g}, as {said}"
    show.say(f"radiometry {sentence}")
    return stored


def _check_bands(bands: int, state: Mapping[str, Any]) -> None:
    if bands != state["sar_channels"]:
        what = f"the SAR images have {counted(bands, 'band')}, the model takes {state['sar_channels']}"
        raise RsforgeError("RSF-D009", what, where="--data-dir", fix="give the bands that the model was trained with")


def _digest(divided: Divided, state: Mapping[str, Any]) -> str:
    """What a checkpoint of such a training calls the division."""
    if _settings(state, "data").get("unpaired"):
        train, held_out = (unpaired_split.Side(pairs, []) for pairs in divided)
        return unpaired_split.digest(train, held_out)
    return split_digest(*divided)


def _division(judged: Sequence[JudgedPair], state: Mapping[str, Any]) -> Divided:
    """The division of the training made again from its settings."""
    data, run = _settings(state, "data"), _settings(state, "run")
    options: dict[str, Any] = {
        "val_fraction": float(data.get("val_fraction", 0.0)),
        "seed": int(run.get("seed", 0)),
        "allow_leak": bool(data.get("allow_leak")),
        "show": SilentConsole(),
    }
    if data.get("unpaired"):
        train, held = unpaired_split.by_scene_or_content(judged, [], **options)
        return train.pairs, held.pairs
    return by_scene(judged, **options)


def _made_again(judged: Sequence[JudgedPair], side: str, state: Mapping[str, Any]) -> list[JudgedPair]:
    fix = "divide the data by `rsforge data split`, or measure --side all"
    if not _settings(state, "data"):
        what = f"--side {side} needs a split, and the checkpoint does not say how it was trained"
        raise RsforgeError("RSF-U005", what, where="--side, --split", fix=fix)
    train, held_out = _division(judged, state)
    if _digest((train, held_out), state) != _trained(state):
        what = "these are not the pairs that the model was trained with, or not as they were divided"
        raise RsforgeError("RSF-D012", what, where="--side, --data-dir", fix=f"name the data of the training, or {fix}")
    if side == "val" and not held_out:
        raise RsforgeError("RSF-D004", "nothing was held out of the training", where="--side", fix=fix)
    return train if side == "train" else held_out


def _seen(count: int, total: int) -> str:
    return f"the model was trained on {count} of these {total} pairs: figures of the others are those of --side val"


def _one_drawn_side(side: str, show: Console, state: Mapping[str, Any], keep_bytes: int) -> Measured:
    """Drawn pairs: those of the training where it was on drawn ones."""
    show.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} drawn pairs, not satellite images")
    _check_bands(1, state)
    stored = Radiometry.from_dict(state["radiometry"], where="the checkpoint")
    if stored not in (EIGHT_BIT, Radiometry("db", *CLIP_DB)):
        show.warn(f"the model was trained on SAR images in {stored.unit}, drawn ones are 8-bit grey")
    data, run = _settings(state, "data"), _settings(state, "run")
    count, size = SYNTHETIC_COUNT, state["image_size"]
    edge = held_out_edge(count, data.get("val_fraction", 0.0))
    whole = draw_pairs(count, size, run.get("seed", 0), keep_bytes, show)
    ours = _trained(state) == f"{whole.digest} at {edge}"
    if side != "all" and not (ours and side in ("train", "val")):
        found = "the model was not trained on drawn pairs" if not ours else "they are divided into train and val"
        raise RsforgeError("RSF-U005", f"drawn pairs have no side {side}", where="--side", found=found)
    if side == "all" and ours:
        show.warn(_seen(edge, count))
    chosen = {"all": range(count), "train": range(edge), "val": range(edge, count)}[side]
    trained = sum(index < edge for index in chosen) if ours else 0
    return Measured(Part(whole, chosen), [whole.scene(index) for index in chosen], trained)
