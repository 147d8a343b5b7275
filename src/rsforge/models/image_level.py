"""The level and the contrast of single images, which say nothing where every image has a unit of its own."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

ImageLevel = Literal["keep", "standardise", "both"]
"""What is seen of images: themselves, themselves at mean 0 and deviation 1, or both, one after the other."""

LOWEST = -1.0
"""The value of gaps, and of everything that lies below the range of the values."""
MOST_DEVIATIONS = 5.0
"""Values are no farther from the mean of their image than this many deviations."""
_LEAST_DEVIATION = 0.01


def standardise_images(x: Tensor) -> Tensor:
    """Each band of each image ``(B, C, H, W)`` in [-1, 1] at mean 0 and deviation 1, within 5 deviations.

    Mean and deviation are over the pixels of which some band is above -1: gaps do not count. Deviations below 0.01
    count as 0.01, so that flat images stay flat. The same for ``gain * x + offset`` as for ``x``.
    """
    seen = (x.amax(1, keepdim=True) > LOWEST).to(x.dtype)
    count = seen.sum((-2, -1), keepdim=True).clamp(min=1)
    centred = x - (x * seen).sum((-2, -1), keepdim=True) / count
    variance = (centred.square() * seen).sum((-2, -1), keepdim=True) / count
    standard = centred / variance.clamp(min=_LEAST_DEVIATION**2).sqrt()
    return standard.clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)


def show_level(x: Tensor, level: ImageLevel) -> Tensor:
    """What is seen of images ``(B, C, H, W)`` in [-1, 1]: ``(B, C, H, W)``, for both ``(B, 2 * C, H, W)``."""
    if level == "keep":
        return x
    standard = standardise_images(x)
    return standard if level == "standardise" else torch.cat([x, standard], 1)


def count_shown(channels: int, level: ImageLevel) -> int:
    """The channels of what is seen."""
    return channels * (2 if level == "both" else 1)
