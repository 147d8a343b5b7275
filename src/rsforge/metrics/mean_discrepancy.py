"""How far apart two sets of features are by a kernel, and how sure that is. Gretton et al. 2012."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_ROWS = 3
"""Of each set: without one of them two must be left."""


@dataclass(frozen=True)
class MeanDiscrepancy:
    """A squared maximum mean discrepancy, and what it is without each row of the two sets ``(n,)`` and ``(m,)``."""

    value: float
    without: tuple[Tensor, Tensor]

    @property
    def error(self) -> float:
        """The standard error over the rows of both sets, by the jackknife."""
        return math.sqrt(sum(jackknife_variance(values) for values in self.without))


def jackknife_variance(values: Tensor) -> float:
    """The variance of a statistic from its values without each of n rows. Efron 1982, Eq. 3.1."""
    return float((values - values.mean()).square().sum() * (len(values) - 1) / len(values))


def mean_discrepancy(x: Tensor, y: Tensor, *, paired: bool = False) -> MeanDiscrepancy:
    """The squared maximum mean discrepancy of two sets of features ``(n, d)``, ``(m, d)``, without bias.

    The kernel is that of KID, the cube of 1 + x y / d (Bińkowski et al. 2018). All rows are used, where KID draws
    subsets. Rows that are ``paired``, such as images and their reconstructions, are compared with others alone.
    ``ValueError`` for fewer than ``LEAST_ROWS`` of a set.
    """
    if min(len(x), len(y)) < LEAST_ROWS:
        raise ValueError(f"{len(x)} and {len(y)} rows, where {LEAST_ROWS} are the least")
    inner = [polynomial_kernel(one, one).fill_diagonal_(0) for one in (x, y)]
    cross = polynomial_kernel(x, y)
    counts = torch.ones_like(cross)
    if paired:
        cross, counts = cross.fill_diagonal_(0), counts.fill_diagonal_(0)

    def distance(sums: Sequence[Tensor], n: int, m: int, pairs: Tensor) -> Tensor:
        return sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2 * sums[2] / pairs

    n, m, (xx, yy), pairs = len(x), len(y), [one.sum() for one in inner], counts.sum()
    xy = cross.sum()
    without_x = distance((xx - 2 * inner[0].sum(1), yy, xy - cross.sum(1)), n - 1, m, pairs - counts.sum(1))
    without_y = distance((xx, yy - 2 * inner[1].sum(1), xy - cross.sum(0)), n, m - 1, pairs - counts.sum(0))
    return MeanDiscrepancy(float(distance((xx, yy, xy), n, m, pairs)), (without_x, without_y))


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """The cube of 1 + x y / d of rows ``(n, d)``, ``(m, d)``: ``(n, m)`` in double precision."""
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def compare_discrepancies(one: MeanDiscrepancy, other: MeanDiscrepancy) -> tuple[float, float]:
    """How much farther ``other`` is than ``one`` from the same second set, and the standard error of that."""
    shared = jackknife_variance(other.without[1] - one.without[1])
    own = jackknife_variance(one.without[0]) + jackknife_variance(other.without[0])
    return other.value - one.value, math.sqrt(shared + own)
