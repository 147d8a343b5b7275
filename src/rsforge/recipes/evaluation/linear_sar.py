"""The optical image as a linear model of local SAR statistics: fitted on training pairs, and given for others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rsforge.data.images.gaps import masks_of
from rsforge.data.io.threads import map_in_threads
from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.least_absolute import fit_least_absolute, predict_linear
from rsforge.models.local_statistics import FEATURES, local_statistics
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE

NAME = "linear_sar"
"""The name of the baseline, and of what a checkpoint holds of it."""
NOT_STORED = "the checkpoint holds no linear model of SAR statistics"
_MOST_PAIRS, _LEAST_PAIRS, _MOST_READ, _MOST_PIXELS = 512, 32, 1 << 25, 1 << 15
_PARTS = ("mean", "scale", "coefficients", "intercept")


def fit_linear_sar(
    samples: IndexedDataset, *, sar_of: Callable[[Any], Tensor], image_of: Callable[[Any], Tensor], **options: float
) -> dict[str, Any]:
    """The linear model with the least mean absolute error of optical images, of the statistics of their SAR images.

    ``sar_of`` and ``image_of`` take an item to its images ``(C, S, S)`` and ``(3, S, S)`` in [-1, 1]. At most 512
    evenly spread pairs are read, fewer of more than 256 px, and of these 2^15 pixels, by a fixed seed: the same samples
    give the same numbers. Pixels without data are left out. ``pairs`` read ``of`` so many, and the tensors of
    ``fit_least_absolute``, whose ``options`` are passed on.
    """
    total, size = len(samples), image_of(samples[0, 0]).shape[-1]
    count = min(total, _MOST_PAIRS, max(_LEAST_PAIRS, _MOST_READ // size**2))
    pixels = min(size**2, -(-_MOST_PIXELS // count))
    generator = torch.Generator().manual_seed(0)
    features, targets = [], []
    places, valid_of = [k * total // count for k in range(count)], masks_of(samples)
    for place, item in zip(places, map_in_threads(lambda index: samples[0, index], places), strict=True):
        chosen = torch.randperm(size**2, generator=generator)[:pixels]
        if (valid := valid_of((0, place))) is not None:
            chosen = chosen[valid.flatten()[chosen]]
        features.append(_statistics(sar_of(item)[None])[0].flatten(1)[:, chosen])
        targets.append(image_of(item).flatten(1)[:, chosen])
    fitted = fit_least_absolute(torch.cat(features, 1).T, torch.cat(targets, 1).T, **options)
    return {"pairs": count, "of": total, **fitted}


def predict_linear_sar(fitted: Mapping[str, Any], sar: Tensor) -> Tensor:
    """The optical images ``(B, 3, H, W)`` in [-1, 1] that a fitted model gives for ``sar`` ``(B, C, H, W)``."""
    model = {name: fitted[name] for name in _PARTS}
    features = _statistics(sar).movedim(1, -1)
    return predict_linear(features, model).movedim(-1, 1).clamp(-1, 1).float().to(sar.device)


def linear_bytes(sar_channels: int, image_channels: int) -> int:
    """The bytes of what ``fit_linear_sar`` returns."""
    features = sar_channels * len(FEATURES)
    return 4 * (2 * features + features * image_channels + image_channels)


def linear_baselines(stored: Mapping[str, Any] | None) -> tuple[list[Baseline], dict[str, str]]:
    """The predictor of the optical image of a batch from its ``sar``, where it is stored; and why not, by name."""
    fitted = (stored or {}).get(NAME)
    if fitted is None:
        return [], {NAME: NOT_STORED}

    def predict(batch: Batch) -> Prediction:
        return {IMAGE: predict_linear_sar(fitted, batch["sar"])}

    pairs = f"{fitted['pairs']} of {fitted['of']}" if fitted["pairs"] != fitted["of"] else f"the {fitted['of']}"
    meaning = (
        f"the linear model with the least L1 of {len(FEATURES)} local statistics of each SAR band (means and "
        f"deviations of boxes of 3 to 31 pixels and of the image, and products), fitted on {pairs} training pairs"
    )
    return [Baseline(NAME, meaning, predict)], {}


def _statistics(sar: Tensor) -> Tensor:
    """On the CPU, in double precision, which not every accelerator has."""
    return local_statistics(sar.cpu().double())
