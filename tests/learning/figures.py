"""What shows that images depend on the input they were made from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def shares_nearer_own(images: Tensor, truths: Tensor, scenes: Sequence[str]) -> Tensor:
    """For each of N images, of how many other scenes' truths in [0, 1] it is farther (L1) than from its own ``(N,)``.

    ``images`` and ``truths`` are ``(N, 3, H, W)``; truths of the image's own scene are no others.
    """
    shares = []
    for place, image in enumerate(images):
        distances = (truths - image).abs().flatten(1).mean(1)
        others = [other for other, scene in enumerate(scenes) if scene != scenes[place]]
        shares.append((distances[place] < distances[others]).float().mean())
    return torch.stack(shares)


def mean_colours(images: Tensor) -> Tensor:
    """The mean colour ``(..., 3)`` of images ``(..., 3, H, W)``."""
    return images.mean((-2, -1))


def colour_changes(colours: Tensor) -> Tensor:
    """What changes between any two of K looks ``(N, K, 3)`` of N scenes: ``(N, K (K - 1) / 2, 3)``."""
    first, second = torch.triu_indices(colours.shape[1], colours.shape[1], 1)
    return colours[:, second] - colours[:, first]


def agree(drawn: Tensor, true: Tensor) -> tuple[float, float]:
    """The share of changes ``(M, 3)`` whose direction is right (positive product), and how large they are on average.

    The size is the slope of the drawn changes over the true ones through zero: 1 where they are as large.
    """
    products = (drawn * true).sum(-1)
    return float((products > 0).float().mean()), float(products.sum() / (true**2).sum())
