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


def constant_images(images: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``mean_image``, ``median_image`` and ``mean_colour`` of the pixels where ``valid`` ``(N, 1, H, W)`` is True.

    Where no image has such a pixel, the first two are the mean colour; that is 0 where there is none at all.
    """
    total, counts = torch.zeros(images.shape[1:], dtype=torch.float64), valid.sum(0)
    for part, mask in zip(images.split(128), valid.split(128), strict=True):
        total += (to_unit(part) * mask).sum(0)
    colour = total.sum((1, 2)) / counts.sum().clamp(min=1)
    anywhere = counts > 0
    mean = torch.where(anywhere, total / counts.clamp(min=1), colour[:, None, None])
    median = torch.where(anywhere, _median_of_valid(images, valid), colour[:, None, None])
    return mean.float(), median.float(), colour.float()


def _median_of_valid(images: Tensor, valid: Tensor) -> Tensor:
    """The median over N, float64 ``(C, H, W)`` in [-1, 1]; anything where nothing is valid."""
    # Sorted with what is not valid behind all others, the middle of the rest is known by its count.
    ordered = images.short().where(valid, 256).sort(0).values
    counts = valid.sum(0, keepdim=True).clamp(min=1).expand(1, *images.shape[1:])
    low, high = (ordered.gather(0, place)[0].double() for place in ((counts - 1) // 2, counts // 2))
    return (low + high) / 2 / 127.5 - 1


def fill_with_mean(images: Tensor, valid: Tensor) -> Tensor:
    """``images``, with those of ``constant_images``'s mean, rounded, where they hold no data."""
    mean = ((constant_images(images, valid)[0] + 1) * 127.5).round().clamp(0, 255).byte()
    return images.where(valid, mean)


def mean_colour(images: Tensor) -> Tensor:
    """The mean of uint8 ``(N, C, H, W)`` over images and pixels: float32 ``(C,)`` in [-1, 1]."""
    return exact_mean(images).mean((1, 2)).float()
