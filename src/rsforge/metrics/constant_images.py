"""The images that a predictor without any input gives: the mean, the median and the mean colour of a set."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_AT_ONCE = 1 << 24


def to_unit(images: Tensor) -> Tensor:
    """uint8 of any shape to float64 in [-1, 1]."""
    return images.double() / 127.5 - 1


def exact_mean(images: Tensor) -> Tensor:
    """The mean of uint8 ``(N, ...)`` over N: float64 in [-1, 1]."""
    # Sums of so few bytes are exact in float32, which is faster than whole numbers.
    sums = [part.float().sum(0) for part in images.split(128)]
    return torch.stack(sums).double().sum(0) / len(images) / 127.5 - 1


def mean_image(images: Tensor) -> Tensor:
    """The mean of uint8 ``(N, C, H, W)`` at every pixel: float32 ``(C, H, W)`` in [-1, 1]. It has the least MSE."""
    return exact_mean(images).float()


def median_image(images: Tensor) -> Tensor:
    """The median of uint8 ``(N, C, H, W)`` at every pixel: float32 ``(C, H, W)`` in [-1, 1]. It has the least L1.

    Of an even number of images it lies half-way between the two in the middle.
    """
    columns = images.flatten(1).numpy()
    step = max(1, _AT_ONCE // len(columns))
    parts = [np.median(columns[:, k : k + step], axis=0) for k in range(0, columns.shape[1], step)]
    return (torch.from_numpy(np.concatenate(parts)) / 127.5 - 1).float().view(images.shape[1:])


def mean_colour(images: Tensor) -> Tensor:
    """The mean of uint8 ``(N, C, H, W)`` over images and pixels: float32 ``(C,)`` in [-1, 1]."""
    return exact_mean(images).mean((1, 2)).float()
