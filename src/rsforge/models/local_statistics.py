"""Local statistics of SAR images at every pixel, as a linear model takes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BOXES = (3, 7, 15, 31)
"""Widths in pixels of the boxes around a pixel."""
FEATURES = (
    "pixel",
    *(f"mean_{size}" for size in BOXES),
    *(f"std_{size}" for size in BOXES),
    "patch_mean",
    "patch_std",
    "pixel * pixel",
    *(f"mean_{size} * mean_{size}" for size in BOXES),
    *(f"mean_{size} * std_{size}" for size in BOXES),
    "mean_7 * mean_31",
    "mean_31 * patch_mean",
    "std_31 * patch_std",
)
"""What each band gives, in this order."""


def local_statistics(sar: Tensor) -> Tensor:
    """The ``FEATURES`` of each band of SAR images ``(B, C, H, W)``: ``(B, C * 23, H, W)``, band after band.

    Boxes end at the border of the image, and their means are over the pixels inside. ``patch_mean`` and ``patch_std``
    are of the whole image. Deviations are of float64 images to 1e-8; in float32 rounding alone may give 5e-4.
    """
    patch_mean = sar.mean((-2, -1), keepdim=True)
    # The variance is a difference of squares, which loses the fewest digits near 0.
    centred = sar - patch_mean
    means, stds = [], []
    for size in BOXES:
        mean = box_mean(centred, size)
        means.append(mean + patch_mean)
        stds.append((box_mean(centred.square(), size) - mean.square()).clamp(min=0).sqrt())
    patch_std = centred.square().mean((-2, -1), keepdim=True).sqrt()
    patch = [patch_mean.expand_as(sar), patch_std.expand_as(sar)]
    squares = [value * value for value in (sar, *means)]
    products = [mean * std for mean, std in zip(means, stds, strict=True)]
    across = [means[1] * means[3], means[3] * patch_mean, stds[3] * patch_std]
    return torch.stack([sar, *means, *stds, *patch, *squares, *products, *across], 2).flatten(1, 2)


def box_mean(x: Tensor, size: int) -> Tensor:
    """The mean of the box of ``size`` (odd) pixels a side around every pixel, as far as it lies inside the image."""
    half = size // 2
    # The mean over rows of the means over columns is that of the box: all its rows have as many columns.
    rows = F.avg_pool2d(x, (size, 1), 1, (half, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, size), 1, (0, half), count_include_pad=False)
