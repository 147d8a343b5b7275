"""Whether the generator of optical images sees SAR images at their level, at mean 0 and deviation 1, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.data.io.threads import map_in_threads
from rsforge.data.sar.radiometry import Radiometry
from rsforge.engine.loader import IndexedDataset
from rsforge.models.image_level import ImageLevel, show_level
from rsforge.models.local_statistics import FEATURES
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.evaluation.linear_sar import NAME, fit_linear_sar, predict_linear_sar
from rsforge.recipes.inference.sar_values import UNIT_SYMBOLS
from rsforge.settings.cyclegan import CycleGanTrainSettings
from rsforge.wording import count_noun

LinearModels = Callable[[ImageLevel], Mapping[str, Any]]
"""The linear model of the statistics of SAR images, by what is seen of them."""
_RIDGE = 1e-3
"""For the statistics of both, which are twice as many and say much the same."""
PAIRS_A_STATISTIC = 4
"""With fewer, the statistics of both are as many as the images that they are fitted to, and mean nothing elsewhere."""
_MOST_MEASURED, MOST_LOOKED_AT = 256, 32
_FAR = 2.0
"""Deviations of the levels of training images, from which on others have another level."""


@dataclass(frozen=True, kw_only=True)
class LevelledPairs(PairSets):
    """Pairs, what the generator of optical images sees of the SAR ones, and their linear models, each fitted once."""

    level: ImageLevel
    linear: LinearModels


def settle_level(settings: CycleGanTrainSettings, pairs: PairSets, console: Console) -> LevelledPairs:
    """The pairs at the level that is typed, or else measured; and a line that says what it takes for granted."""
    linear = fit_by_level(pairs.plain)
    level, reason = choose_level(settings, pairs, linear, console)
    console.say(f"sar level  {reason}")
    return LevelledPairs(**vars(pairs), level=level, linear=linear)


def restore_level(pairs: PairSets, state: Mapping[str, Any]) -> LevelledPairs:
    """The pairs at the level of the run that goes on; earlier ones kept it."""
    level: ImageLevel = state["architecture"]["gen_AB"].get("level", "keep")
    return LevelledPairs(**vars(pairs), level=level, linear=fit_by_level(pairs.plain))


def fit_by_level(samples: IndexedDataset) -> LinearModels:
    """The linear models of ``samples``, fitted when they are asked for; that of ``keep`` is the baseline."""

    def fit(level: ImageLevel) -> Mapping[str, Any]:
        options = {"ridge": _RIDGE} if level == "both" else {}
        return fit_linear_sar(
            samples, sar_of=lambda item: show_level(item[0][None], level)[0], image_of=itemgetter(1), **options
        )

    return cache(fit)


def largest_level(settings: CycleGanTrainSettings) -> ImageLevel:
    """What is typed, and of what may be measured that which needs the most memory."""
    return "both" if settings.gan.sar_level == "auto" else settings.gan.sar_level


def choose_level(
    settings: CycleGanTrainSettings, pairs: PairSets, linear: LinearModels, console: Console
) -> tuple[ImageLevel, str]:
    """What the generator sees, and why, in words.

    Where it is left open, ``both`` if the linear model of both is nearer to the pairs that choose by more than one
    standard error, and is fitted to at least four pairs a statistic; else ``keep``. A few pairs neither choose by
    chance nor make a model of their own.
    """
    level = largest_level(settings)
    if settings.gan.sar_level != "auto":
        return level, describe_level(level, pairs.radiometry)
    least = PAIRS_A_STATISTIC * 2 * len(FEATURES) * pairs.sar_channels
    if settings.data.unpaired or len(pairs.held_out) < 2 or len(pairs.plain) < least:
        needs = f"auto needs {least} pairs to train on and 2 that choose"
        return "keep", f"{describe_level('keep', pairs.radiometry)} ({needs})"
    if console.dry_run:
        return level, "kept, or kept and standardised, as will be measured"
    keep, both = (measure_errors(linear(one), one, pairs.held_out) for one in ("keep", "both"))
    gain, error = float((keep - both).mean()), float((keep - both).std()) / len(keep) ** 0.5
    level = "both" if gain > error else "keep"
    figures = f"l1 {float(keep.mean()):.4f}, {gain:.4f} less with both, standard error {error:.4f}"
    found = f"linear model on {count_noun(len(keep), 'pair')} that choose: {figures}"
    return level, f"{describe_level(level, pairs.radiometry)} ({found})"


def measure_errors(model: Mapping[str, Any], level: ImageLevel, samples: IndexedDataset) -> Tensor:
    """The mean absolute error of a linear model on each of at most 256 evenly spread ``samples``."""
    count = min(len(samples), _MOST_MEASURED)

    def measure(index: int) -> Tensor:
        sar, optical = samples[0, index]
        made = predict_linear_sar(model, show_level(sar[None], level))[0]
        return F.l1_loss(made, optical)

    return torch.stack(list(map_in_threads(measure, spread_evenly(samples, count))))


def list_level_caveats(state: Mapping[str, Any], samples: IndexedDataset) -> list[str]:
    """What makes figures of ``samples`` doubtful: their SAR images have another level than those of the training.

    At most 32 of them are looked at. Nothing where the unit is known, or the checkpoint ``state`` does not know the
    level of its training images.
    """
    if find_fitted(state) is None:
        return []
    chosen = spread_evenly(samples, min(len(samples), MOST_LOOKED_AT))
    return describe_other_level(state, torch.stack([samples[0, index][0].mean((1, 2)) for index in chosen]).mean(0))


def describe_other_level(state: Mapping[str, Any], found: Tensor) -> list[str]:
    """A sentence where SAR images of mean ``found (C,)`` in [-1, 1] have another level than those of the training."""
    fitted = find_fitted(state)
    if fitted is None:
        return []
    unit = state["radiometry"]["unit"]
    first = FEATURES.index("patch_mean")
    usual, spread = fitted["mean"][first :: len(FEATURES)], fitted["scale"][first :: len(FEATURES)]
    apart = ((found - usual) / spread).abs()
    band = int(apart.argmax())
    if not float(apart[band]) > _FAR:
        return []
    levels = f"{found[band]:.2f} and {usual[band]:.2f} on [-1, 1], {apart[band]:.1f} deviations apart"
    return [
        f"the SAR images have another level than those of the training ({levels}): {unit} values may not be one scale"
    ]


def find_fitted(state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The linear model with the levels of the training's images; None where they mean the same in every image."""
    fitted: Mapping[str, Any] | None = (state.get("baselines") or {}).get(NAME)
    return None if fitted is None or state["radiometry"]["unit"] in UNIT_SYMBOLS else fitted


def spread_evenly(samples: Sized, count: int) -> list[int]:
    """The numbers of ``count`` samples, from the first on."""
    return [k * len(samples) // count for k in range(count)]


def describe_level(level: ImageLevel, radiometry: Radiometry) -> str:
    """What is done about the level of SAR images, and what that takes for granted."""
    if level == "standardise":
        return "standardised: each image or tile at mean 0 and deviation 1, so that its unit does not count"
    kept = "kept" if level == "keep" else "kept, and seen beside the image or tile at mean 0 and deviation 1"
    if radiometry.unit in UNIT_SYMBOLS:
        return f"{kept}: sigma0 means the same in every image"
    return f"{kept}: {radiometry.unit} values are taken to have one scale in all images, also where the model is used"
