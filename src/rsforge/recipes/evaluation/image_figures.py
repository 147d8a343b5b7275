"""Figures of images beside the images that they should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from rsforge.losses.gaps import find_gaps
from rsforge.metrics.image import psnr, ssim
from rsforge.recipes.evaluation.evaluation import Batch, Figure, Panel, Prediction
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics

IMAGE = "image"
"""The name of images ``(B, 3, H, W)`` in [-1, 1] in predictions."""
EQUAL_DB = 10 * float(np.log10(12 * 255**2))
"""What rounding to 8 bits alone leaves, 58.9 dB: images are of 8 bits, so no figure above it is given."""
SHOWN_ERROR = 0.5


def l1(y: Tensor, x: Tensor) -> Tensor:
    """Mean absolute error of ``(B, C, H, W)``: ``(B,)``."""
    return (y - x).abs().flatten(1).mean(1)


def mse(y: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of ``(B, C, H, W)``: ``(B,)``."""
    return (y - x).square().flatten(1).mean(1)


def capped_psnr(y: Tensor, x: Tensor, valid: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB, as far as images of 8 bits tell it: ``(B,)``."""
    return psnr(y, x, valid).clamp(max=EQUAL_DB)


def compare_images(metric: Callable[[Tensor, Tensor], Tensor], target: str) -> Callable[[Prediction, Batch], Tensor]:
    """``metric`` of the predicted images and those of the batch under ``target``, alike where these hold no data."""

    def compare(prediction: Prediction, batch: Batch) -> Tensor:
        image = batch[target]
        return metric(find_gaps(batch).fill(prediction[IMAGE], image), image)

    return compare


def compare_pixels(metric: Callable[[Tensor, Tensor], Tensor], target: str) -> Callable[[Prediction, Batch], Tensor]:
    """The same of a ``metric`` that is a mean over pixels: over those that hold data."""
    compare = compare_images(metric, target)

    def compare_those(prediction: Prediction, batch: Batch) -> Tensor:
        return find_gaps(batch).over_valid_of_each(compare(prediction, batch))

    return compare_those


def compare_valid(metric: Callable[..., Tensor], target: str) -> Callable[[Prediction, Batch], Tensor]:
    """The same of a ``metric`` that is told where images hold data."""

    def compare(prediction: Prediction, batch: Batch) -> Tensor:
        gaps, image = find_gaps(batch), batch[target]
        return metric(gaps.fill(prediction[IMAGE], image), image, gaps.valid)

    return compare


def image_figures(target: str, learned: LearnedMetrics, *, error: str) -> list[Figure]:
    """Error (``l1`` or ``mse``), PSNR, SSIM and, where its network is there, LPIPS beside the images ``target``."""
    lpips = None if learned.lpips is None else compare_pixels(learned.lpips, target)
    errors = {
        "l1": Figure("l1", "of [-1, 1]", False, compare_pixels(l1, target)),
        "mse": Figure("mse", "of [-1, 1] squared", False, compare_pixels(mse, target)),
    }
    return [
        errors[error],
        Figure("psnr_db", "dB", True, compare_valid(capped_psnr, target)),
        Figure("ssim", "", True, compare_valid(ssim, target)),
        Figure("lpips", "", False, lpips),
    ]


def error_panel(y: Tensor, x: Tensor) -> Panel:
    """Where images ``(C, H, W)`` differ, and by how much."""
    return Panel("absolute error of [-1, 1]", (y - x).abs().mean(0), SHOWN_ERROR)
