"""The baseline of every autoencoder that needs no fit: the image made small, to as many numbers as the latent has."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F

from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE


def thumbnail_baseline(target: str, latent_shape: Sequence[int]) -> Baseline:
    """The images ``target`` of a batch, scaled down to at most as many numbers as the latent has, and up again."""
    numbers = math.prod(latent_shape)

    def predict(batch: Batch) -> Prediction:
        x = batch[target]
        side = max(1, min(math.isqrt(numbers // x.shape[1]), x.shape[-1]))
        small = F.interpolate(x, size=(side, side), mode="bicubic", antialias=True)
        return {IMAGE: F.interpolate(small, size=x.shape[-2:], mode="bicubic").clamp(-1, 1)}

    return Baseline("thumbnail", f"the image scaled down to at most {numbers} numbers, and up again", predict)
