"""What shows that images depend on the input they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Whitened:
    """Features in which members of one kind deviate alike in all directions; ``centres`` ``(K, D)`` are those of kinds.

    ``(f - mean) @ scale`` for features ``f`` ``(N, D)``.
    """

    mean: Tensor
    scale: Tensor
    centres: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) @ self.scale


def whiten(features: Tensor, kinds: Tensor, shrinkage: float = 0.3) -> Whitened:
    """Whitening by the covariance within kinds of ``features`` ``(N, D)``; ``kinds`` ``(N,)`` are 0, 1, 2, ....

    Features are standardised first, and ``shrinkage`` is added to the diagonal.
    """
    mean, std = features.mean(0), features.std(0) + 1e-6
    z = (features - mean) / std
    centres = torch.stack([z[kinds == kind].mean(0) for kind in range(int(kinds.max()) + 1)])
    known = kinds >= 0
    within = z[known] - centres[kinds[known]]
    covariance = within.T @ within / len(within) + shrinkage * torch.eye(z.shape[1])
    root = torch.linalg.cholesky(torch.linalg.inv(covariance))
    return Whitened(mean, root / std[:, None], centres @ root)


def shares_nearer_own_kind(features: Tensor, kinds: Tensor, centres: Tensor) -> Tensor:
    """For each row of ``features`` the share of other kinds whose centre is farther than that of its own, ``(N,)``."""
    distances = torch.cdist(features, centres)
    own = distances[torch.arange(len(kinds)), kinds][:, None]
    return (own < distances).float().sum(1) / (len(centres) - 1)
