"""The pairs that a checkpoint was trained on, and those it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from rsforge.data.images.tile_dataset import split_digest
from rsforge.data.pairs.dataset import JudgedPair, PairDataset
from rsforge.data.pairs.index import PairIndex
from rsforge.data.pairs.reading import find_radiometry
from rsforge.data.sar.radiometry import CLIP_DB, EIGHT_BIT, Radiometry
from rsforge.data.splits.split_file import Sides
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.datasets import measured_subset, stored_split, unpaired_split
from rsforge.recipes.datasets.find_pairs import OnBad, list_pairs, select_usable, view_pairs
from rsforge.recipes.datasets.image_folder import KEEP_BYTES, SYNTHETIC, name_drawn
from rsforge.recipes.datasets.measured_subset import MeasuredSubset, choose_subset, settings_of, trained_digest
from rsforge.recipes.datasets.pair_split import (
    StoredPairSplit,
    divide_by_scene,
    follow_split,
    has_split,
    shorten_digests,
)
from rsforge.recipes.datasets.pairs import SYNTHETIC_COUNT, draw_pairs, find_held_out
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.views import views_of
from rsforge.settings.pairs import PairDataSettings
from rsforge.wording import count_noun


@dataclass(frozen=True)
class _Found:
    """The pairs that ``data`` names and that can be used, as the checkpoint takes them."""

    data: PairDataSettings
    index: PairIndex
    pairs: list[JudgedPair]
    radiometry: Radiometry


class _Chosen(NamedTuple):
    """Some of the pairs that were found; the other fields are those of ``MeasuredSubset``."""

    found: _Found
    pairs: list[JudgedPair]
    subset: str
    reason: str = ""
    own: bool = False


@dataclass(frozen=True)
class _Folder:
    """A folder of pairs beside a checkpoint's ``state``."""

    data: PairDataSettings
    state: Mapping[str, Any]
    on_bad: OnBad
    console: Console

    def find(self, data: PairDataSettings) -> _Found:
        index = list_pairs(data, self.console, self.on_bad)
        view_pairs(index, data, self.console, views_of(self.state))
        radiometry = _radiometry(index, data, self.state, self.console)
        pairs = select_usable(index, radiometry, data, self.state["image_size"], self.console, self.on_bad)
        _check_bands(pairs[0].sar_bands, self.state)
        return _Found(data, index, pairs, radiometry)


def open_subset(
    data: PairDataSettings, choice: str, console: Console, *, on_bad: OnBad, state: Mapping[str, Any]
) -> MeasuredSubset:
    """The pairs of a subset as the checkpoint ``state`` takes them: at its image size and radiometry.

    ``choice`` auto is test where a split is followed that has one, else val, and all where nothing was held out or
    these are other pairs than those of the training. Without a split the division of the training is made again.
    RSF-U005 when there is none to make, RSF-D012 when it is another one, RSF-D004 for an empty subset, RSF-D009 for
    SAR bands that the model does not take.
    """
    if data.data_dir == SYNTHETIC:
        return _open_drawn(choice, console, state)
    chosen = _choose(_Folder(data, state, on_bad, console), choice)
    measured_subset.say_choice(chosen.subset, chosen.reason, console)
    trained = _count_trained(chosen.pairs, state)
    measured_subset.warn_trained(trained, len(chosen.pairs), chosen.subset, "pairs", console)
    samples = PairDataset(
        chosen.pairs,
        radiometry=chosen.found.radiometry,
        image_size=state["image_size"],
        seed=0,
        allow_gray_optical=chosen.found.data.allow_gray_optical,
        keep_bytes=0 if console.dry_run else KEEP_BYTES,
    )
    scenes = [one.pair.scene for one in chosen.pairs]
    metadata = [one.pair.metadata for one in chosen.pairs]
    return MeasuredSubset(samples, scenes, chosen.subset, chosen.reason, trained, chosen.own, metadata)


def _choose(folder: _Folder, choice: str) -> _Chosen:
    if choice == "all":
        found = folder.find(folder.data)
        return _Chosen(found, found.pairs, "all")
    if has_split(folder.data) or (choice == "test" and not measured_subset.count_test(folder.state)):
        return _choose_by_split(folder, choice)
    if choice == "auto":
        return _choose_held_out(folder)
    return _choose_of_training(folder, choice)


def _choose_by_split(folder: _Folder, choice: str) -> _Chosen:
    found = folder.find(folder.data)
    split = follow_split(folder.data, found.index, found.pairs, folder.console)
    if split is None:
        raise stored_split.no_split_error(folder.data.split, choice, found.index.root)
    subset, reason = choose_subset(choice, split.pairs)
    if subset == "all":
        return _Chosen(found, found.pairs, "all", reason)
    own = _was_trained_by(split, folder.state) or _limited_training(folder)
    pairs = stored_split.require_subset(split.pairs, subset, folder.console, ours=own)
    return _Chosen(found, pairs, subset, reason, own)


def _was_trained_by(split: StoredPairSplit, state: Mapping[str, Any]) -> bool:
    return _digest(Sides(**split.pairs), state) == trained_digest(state)


def _limited_training(folder: _Folder) -> bool:
    """Whether the training followed the same split with other pairs: some terrains, or so many of each."""
    typed_nothing = folder.data.model_copy()
    typed_nothing.model_fields_set.clear()
    same_split = _Folder(typed_nothing, folder.state, folder.on_bad, SilentConsole())
    found = _find_as_trained(same_split)
    split = follow_split(found.data, found.index, found.pairs, same_split.console) if found else None
    return split is not None and _was_trained_by(split, folder.state)


def count_scaled(samples: IndexedDataset, size: int) -> int:
    """How many pairs come from files whose shorter side is another than ``size``; drawn ones are made at it."""
    judged = samples.judged if isinstance(samples, PairDataset) else []
    return sum(min(one.height, one.width) != size for one in judged)


def _choose_of_training(folder: _Folder, choice: str) -> _Chosen:
    """A subset of the division that the training made for itself."""
    found = folder.find(_as_trained(folder.data, folder.state))
    measured_subset.check_known(choice, folder.state)
    divided = _divide_again(found.pairs, folder.state)
    pairs, same = divided.by_name()[choice], _digest(divided, folder.state) == trained_digest(folder.state)
    measured_subset.check_divided(choice, same=same, count=len(pairs), noun="pairs")
    return _Chosen(found, pairs, choice, own=True)


def _choose_held_out(folder: _Folder) -> _Chosen:
    """What the training held out, where these are its pairs; else all."""
    reason = measured_subset.why_undivided(folder.state)
    if reason:
        found = folder.find(folder.data)
        return _Chosen(found, found.pairs, "all", reason)
    as_trained = _find_as_trained(folder)
    divided = _divided_as_trained(as_trained.pairs, folder.state) if as_trained else None
    if as_trained and divided:
        return _Chosen(as_trained, *measured_subset.choose_of_division(divided), own=True)
    found = as_trained if as_trained and as_trained.data is folder.data else folder.find(folder.data)
    return _Chosen(found, found.pairs, "all", measured_subset.OTHER_DATA.format(noun="pairs"))


def _find_as_trained(folder: _Folder) -> _Found | None:
    """The pairs that the training would have taken; None where another folder does not have what it chose."""
    data = _as_trained(folder.data, folder.state)
    if data is folder.data:
        return folder.find(data)
    # A folder without the terrains of the training, for example, is no fault of its own.
    with suppress(RsforgeError):
        return folder.find(data)
    return None


def _divided_as_trained(pairs: Sequence[JudgedPair], state: Mapping[str, Any]) -> Sides[JudgedPair] | None:
    """The division of the training; None where these are other pairs, hold nothing out, or cannot be divided so."""
    with suppress(RsforgeError):
        divided = _divide_again(pairs, state)
        if _digest(divided, state) == trained_digest(state) and (divided.val or divided.test):
            return divided
    return None


def _count_trained(chosen: Sequence[JudgedPair], state: Mapping[str, Any]) -> int | None:
    """How many of the pairs have a file that the model was trained on; None where the checkpoint does not say."""
    if "trained" not in state:
        return None
    known = set(state["trained"])
    return sum(not known.isdisjoint(shorten_digests(one.files)) for one in chosen)


def _as_trained(data: PairDataSettings, state: Mapping[str, Any]) -> PairDataSettings:
    """The same choice of pairs as in the training, where another one is not typed; ``data`` itself where it is that."""
    before = settings_of(state, "data")
    names = {"layout", "terrains", "max_per_terrain", "allow_gray_optical"} - data.model_fields_set
    values = {name: before[name] for name in sorted(names & before.keys())}
    if "terrains" in values:
        values["terrains"] = tuple(values["terrains"])
    same = all(getattr(data, name) == value for name, value in values.items())
    return data if same else data.model_copy(update=values)


def _radiometry(index: PairIndex, data: PairDataSettings, state: Mapping[str, Any], console: Console) -> Radiometry:
    """That of the checkpoint, unless another one is declared."""
    stored = Radiometry.from_dict(state["radiometry"], where="the checkpoint")
    if data.radiometry != "auto":
        stored, sentence = find_radiometry(index, data.radiometry, data.clip)
    else:
        stored = Radiometry(stored.unit, *(data.clip or (stored.low, stored.high)))
        said = "--clip says" if data.clip else "the model was trained"
        sentence = f"{stored.unit} kept from {stored.low:g} to {stored.high:g}, as {said}"
    console.say(f"radiometry {sentence}")
    return stored


def _check_bands(bands: int, state: Mapping[str, Any]) -> None:
    if bands != state["sar_channels"]:
        what = f"the SAR images have {count_noun(bands, 'band')}, the model takes {state['sar_channels']}"
        raise RsforgeError("RSF-D009", what, where="--data-dir", fix="give the bands that the model was trained with")


def _digest(divided: Sides[JudgedPair], state: Mapping[str, Any]) -> str:
    """What a checkpoint of such a training calls the division."""
    if settings_of(state, "data").get("unpaired"):
        train, held_out = (unpaired_split.UnpairedSubset(pairs, []) for pairs in divided[:2])
        return unpaired_split.digest_split(train, held_out)
    return split_digest(divided.train, divided.val)


def _divide_again(pairs: Sequence[JudgedPair], state: Mapping[str, Any]) -> Sides[JudgedPair]:
    """The division of the training made again from its settings."""
    data, run = settings_of(state, "data"), settings_of(state, "run")
    options: dict[str, Any] = {
        "shares": (float(data.get("val_fraction", 0.0)), data.get("test_fraction", 0.0)),
        "seed": int(run.get("seed", 0)),
        "allow_leak": bool(data.get("allow_leak")),
        "overlap_by_content": bool(data.get("overlap_by_content")),
        "console": SilentConsole(),
    }
    if data.get("unpaired"):
        train, held, test = unpaired_split.divide_by_scene_or_content(pairs, [], **options)
        return Sides(train.pairs, held.pairs, test)
    return divide_by_scene(pairs, **options)


def _open_drawn(choice: str, console: Console, state: Mapping[str, Any]) -> MeasuredSubset:
    """Synthetic pairs: those of the training where it was on synthetic ones."""
    console.warn(f"--data-dir synthetic: {SYNTHETIC_COUNT} synthetic pairs, not satellite images")
    _check_bands(1, state)
    stored = Radiometry.from_dict(state["radiometry"], where="the checkpoint")
    if stored not in (EIGHT_BIT, Radiometry("db", *CLIP_DB)):
        console.warn(f"the model was trained on SAR images in {stored.unit}, synthetic ones are 8-bit grey")
    count = SYNTHETIC_COUNT
    data = settings_of(state, "data")
    edge, end = find_held_out(count, data.get("val_fraction", 0.0), data.get("test_fraction", 0.0))
    sides = (edge, count - end, end - edge)
    keep_bytes = 0 if console.dry_run else KEEP_BYTES
    whole = draw_pairs(count, state["image_size"], settings_of(state, "run").get("seed", 0), keep_bytes, console)
    ours = trained_digest(state) == name_drawn(whole.digest, count, sides[1], sides[2])
    subset, reason = measured_subset.choose_synthetic(choice, ours=ours, sides=sides, noun="pairs")
    measured_subset.say_choice(subset, reason, console)
    ranges = {"train": range(edge), "test": range(edge, end), "val": range(end, count)}
    chosen = ranges.get(subset, range(count))
    trained = sum(index < edge for index in chosen) if ours else 0
    measured_subset.warn_trained(trained, len(chosen), subset, "pairs", console)
    own = ours and subset != "all"
    scenes = [whole.scene(index) for index in chosen]
    metadata = [whole.metadata(index) for index in chosen]
    return MeasuredSubset(SelectedItems(whole, chosen), scenes, subset, reason, trained, own, metadata)
