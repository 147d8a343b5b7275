"""What shows that images depend on the input they were made from."""

from __future__ import annotations

import math
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


@dataclass(frozen=True)
class Distance:
    """A squared kernel distance, and what it is without each row of the two sets ``(n,)`` and ``(m,)``."""

    value: float
    without: tuple[Tensor, Tensor]

    @property
    def error(self) -> float:
        """The standard error over the rows of both sets, by the jackknife."""
        return math.sqrt(sum(jackknife_variance(values) for values in self.without))


def jackknife_variance(values: Tensor) -> float:
    """The variance of a statistic from its values without each of n rows. Efron 1982, Eq. 3.1."""
    return float((values - values.mean()).square().sum() * (len(values) - 1) / len(values))


def kernel_distance(x: Tensor, y: Tensor, *, paired: bool = False) -> Distance:
    """The squared maximum mean discrepancy of two sets of features ``(n, d)``, ``(m, d)``, without bias.

    The kernel is that of KID, the cube of 1 + x y / d: Bińkowski et al. 2018. Rows that are ``paired``, such as images
    and their reconstructions, are compared with others alone.
    """
    inner = [polynomial_kernel(one, one).fill_diagonal_(0) for one in (x, y)]
    cross = polynomial_kernel(x, y)
    counts = torch.ones_like(cross)
    if paired:
        cross, counts = cross.fill_diagonal_(0), counts.fill_diagonal_(0)

    def distance(sums: Sequence[Tensor], n: Tensor | int, m: Tensor | int, pairs: Tensor | float) -> Tensor:
        return sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2 * sums[2] / pairs

    n, m, (xx, yy), pairs = len(x), len(y), [one.sum() for one in inner], counts.sum()
    xy = cross.sum()
    without_x = distance((xx - 2 * inner[0].sum(1), yy, xy - cross.sum(1)), n - 1, m, pairs - counts.sum(1))
    without_y = distance((xx, yy - 2 * inner[1].sum(1), xy - cross.sum(0)), n, m - 1, pairs - counts.sum(0))
    return Distance(float(distance((xx, yy, xy), n, m, pairs)), (without_x, without_y))


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def compare_distances(one: Distance, other: Distance) -> tuple[float, float]:
    """How much farther ``other`` is than ``one`` from the same second set, and the standard error of that."""
    shared = jackknife_variance(other.without[1] - one.without[1])
    own = jackknife_variance(one.without[0]) + jackknife_variance(other.without[0])
    return other.value - one.value, math.sqrt(shared + own)
