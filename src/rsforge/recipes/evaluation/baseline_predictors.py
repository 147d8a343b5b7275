"""Predictors without a network: what they give for a batch, and what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.data.images.gaps import masks_of
from rsforge.data.io.threads import map_in_threads
from rsforge.engine.loader import IndexedDataset
from rsforge.metrics.pca import reconstruct, reconstruct_patches
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Predict, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE
from rsforge.recipes.evaluation.linear_sar import linear_baselines

NOT_STORED = "the checkpoint holds no baselines of its training images: those of the measured images are shown"


class PairBaselines(NamedTuple):
    """Facts about the mean colour in use, the baselines, why others are not there, by name, and doubts to tell."""

    facts: dict[str, Any]
    baselines: list[Baseline]
    absent: dict[str, str]
    doubts: list[str]


def constant_baselines(fitted: Mapping[str, Any], image_size: int, device: torch.device) -> list[Baseline]:
    """The mean and the median image and the mean colour, scaled to ``image_size`` where they have another."""
    mean, median = (_resize(fitted[name].to(device), image_size) for name in ("mean_image", "median_image"))
    colour = fitted["mean_colour"].to(device).view(-1, 1, 1).expand(-1, image_size, image_size)
    of = training_images(fitted)
    return [
        Baseline("mean_colour", f"the mean colour of {of}", _always(colour)),
        Baseline("mean_image", f"the mean of {of} at every pixel", _always(mean)),
        Baseline("median_image", f"the median of {of} at every pixel", _always(median)),
    ]


def training_images(fitted: Mapping[str, Any]) -> str:
    """What the baselines were fitted on, in words."""
    count, total = fitted["images"], fitted["of"]
    return f"the {total} training images" if count == total else f"{count} of {total} training images, evenly spread"


def _resize(image: Tensor, size: int) -> Tensor:
    if image.shape[-1] == size:
        return image
    return F.interpolate(image[None], (size, size), mode="bilinear", antialias=True)[0]


def _always(image: Tensor) -> Predict:
    """A predictor that gives ``image`` whatever is asked for."""

    def predict(batch: Batch) -> Prediction:
        count = len(next(iter(batch.values())))
        return {IMAGE: image.expand(count, *image.shape)}

    return predict


def component_baselines(
    fitted: Mapping[str, Any], target: str, image_size: int, device: torch.device
) -> tuple[list[Baseline], dict[str, str]]:
    """The images ``target`` of a batch through as many numbers as the latent has; and why not, by name."""
    pca = fitted.get("pca", {"absent": "the checkpoint holds no components"})
    size = fitted["mean_image"].shape[-1]
    if "absent" in pca:
        return [], {"pca": pca["absent"]}
    if not pca["patch"] and size != image_size:
        return [], {"pca": f"its components are of images of {size} px"}
    mean, components, patch = pca["mean"].to(device), pca["components"].to(device), pca["patch"]

    def predict(batch: Batch) -> Prediction:
        x = batch[target]
        if patch:
            return {IMAGE: reconstruct_patches(x, patch, mean, components)}
        return {IMAGE: reconstruct(x, mean, components)}

    of = f"patches of {patch} x {patch} pixels" if patch else "whole images"
    numbers = f"{len(components)} for every patch" if patch else f"{len(components)} for an image"
    meaning = f"the best linear code of {of} in as many numbers as the latent ({numbers}), of {training_images(fitted)}"
    return [Baseline("pca", meaning, predict)], {}


def measured_means(
    samples: IndexedDataset, image_of: Callable[[Any], Tensor], progress: Callable[[], None]
) -> tuple[Tensor, Tensor]:
    """The mean image ``(C, S, S)`` and the mean colour ``(C,)`` of the very images that are measured.

    Pixels without data do not count; where no image has data, the mean image has the mean colour.
    """
    total = torch.zeros((), dtype=torch.float64)
    counts, valid_of = torch.zeros((), dtype=torch.float64), masks_of(samples)
    for index, item in enumerate(map_in_threads(lambda index: samples[0, index], range(len(samples)))):
        image, valid = image_of(item).double(), valid_of((0, index))
        total = total + (image if valid is None else image * valid)
        counts = counts + (1 if valid is None else valid)
        progress()
    mean = total / counts
    if counts.ndim == 0:
        return mean.float(), mean.mean((1, 2)).float()
    colour = total.sum((1, 2)) / counts.sum()
    return mean.where(counts > 0, colour[:, None, None]).float(), colour.float()


def measured_baseline(name: str, image: Tensor, image_size: int, device: torch.device) -> Baseline:
    """A constant image of the measured images, for checkpoints of before baselines were stored."""
    meaning = "that of the measured images, which is harder to beat than that of others"
    shown = image.to(device).view(len(image), *(image.shape[1:] or (1, 1))).expand(-1, image_size, image_size)
    return Baseline(name, meaning, _always(shown))


def pair_baselines(
    state: Mapping[str, Any], samples: IndexedDataset, device: torch.device, console: Console
) -> PairBaselines:
    """The predictors of the optical image of ``samples`` (SAR, optical) that a checkpoint ``state`` has or needs not.

    Where it holds none of its training images, the mean colour of the measured ones stands for them.
    """
    size, stored = state["image_size"], state.get(KEY)
    copy_sar = Baseline("copy_sar", "the SAR image as grey (its first band)", _copy_sar)
    linear, absent = linear_baselines(stored)
    if stored:
        facts = _describe_colour(stored["mean_colour"], "the training images")
        return PairBaselines(facts, [copy_sar, *constant_baselines(stored, size, device), *linear], absent, [])
    console.warn(NOT_STORED)
    with console.progress("mean colour", len(samples)) as meter:
        _, colour = measured_means(samples, lambda item: item[1], meter.step)
    facts = _describe_colour(colour, "the measured images")
    return PairBaselines(
        facts, [copy_sar, measured_baseline("mean_colour", colour, size, device)], absent, [NOT_STORED]
    )


def _describe_colour(colour: Tensor, of: str) -> dict[str, Any]:
    return {"colour": [round(float(c), 6) for c in colour.flatten()], "mean_colour_of": of}


def _copy_sar(batch: Batch) -> Prediction:
    return {IMAGE: batch["sar"][:, :1].expand(-1, 3, -1, -1)}
