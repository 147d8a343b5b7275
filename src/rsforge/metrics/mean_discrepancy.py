"""How far apart two sets of features are by a kernel, and how sure that is. Gretton et al. 2012."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEAST_ROWS = 3
"""Of each set: without one of them two must be left."""


@dataclass(frozen=True)
class MeanDiscrepancy:
    """A squared maximum mean discrepancy, and what it is without each row, or group of rows, of the two sets."""

    value: float
    without: tuple[Tensor, Tensor]

    @property
    def error(self) -> float:
        """The standard error over the rows or groups of both sets, by the jackknife."""
        return math.sqrt(sum(jackknife_variance(values) for values in self.without))


def jackknife_variance(values: Tensor) -> float:
    """The variance of a statistic from its values without each of n rows. Efron 1982, Eq. 3.1."""
    return float((values - values.mean()).square().sum() * (len(values) - 1) / len(values))


def mean_discrepancy(x: Tensor, y: Tensor, *, paired: bool = False, groups: Sequence[Hashable] = ()) -> MeanDiscrepancy:
    """The squared maximum mean discrepancy of two sets of features ``(n, d)``, ``(m, d)``, without bias.

    The kernel is that of KID, the cube of 1 + x y / d (Bińkowski et al. 2018). All rows are used, where KID draws
    subsets. Rows that are ``paired``, such as images and their reconstructions, are compared with others alone. With
    ``groups``, the group of each row of ``y``, and of ``x`` where they are paired, the error is that of leaving out
    whole groups. ``ValueError`` for fewer than ``LEAST_ROWS`` of a set.
    """
    if min(len(x), len(y)) < LEAST_ROWS:
        raise ValueError(f"{len(x)} and {len(y)} rows, where {LEAST_ROWS} are the least")
    inner = [polynomial_kernel(one, one).fill_diagonal_(0) for one in (x, y)]
    cross = polynomial_kernel(x, y)
    counts = torch.ones_like(cross)
    if paired:
        cross, counts = cross.fill_diagonal_(0), counts.fill_diagonal_(0)
    of_y = _members(groups or range(len(y)))
    of_x = of_y if paired and groups else _members(range(len(x)))

    def distance(sums: Sequence[Tensor], n: Tensor, m: Tensor, pairs: Tensor) -> Tensor:
        return sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2 * sums[2] / pairs

    n, m, (xx, yy), pairs = torch.tensor(len(x)), torch.tensor(len(y)), [one.sum() for one in inner], counts.sum()
    xy = cross.sum()
    left_x, left_y = (_without(one, own) for one, own in zip(inner, (of_x, of_y), strict=True))
    lost_x, lost_y = of_x.sum(0), of_y.sum(0)
    without_x = distance((left_x, yy, xy - cross.sum(1) @ of_x), n - lost_x, m, pairs - counts.sum(1) @ of_x)
    without_y = distance((xx, left_y, xy - cross.sum(0) @ of_y), n, m - lost_y, pairs - counts.sum(0) @ of_y)
    return MeanDiscrepancy(float(distance((xx, yy, xy), n, m, pairs)), (without_x, without_y))


def _members(groups: Iterable[Hashable]) -> Tensor:
    """Which rows are in which group: 1 or 0 in double precision ``(rows, groups)``."""
    groups = list(groups)
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    members = torch.zeros(len(groups), len(number), dtype=torch.float64)
    members[range(len(groups)), [number[group] for group in groups]] = 1
    return members


def _without(kernel: Tensor, members: Tensor) -> Tensor:
    """The sum of a symmetric kernel without the rows and columns of each group."""
    own = (members * (kernel @ members)).sum(0)
    return kernel.sum() - 2 * kernel.sum(1) @ members + own


def polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    """The cube of 1 + x y / d of rows ``(n, d)``, ``(m, d)``: ``(n, m)`` in double precision."""
    return (x.double() @ y.double().T / x.shape[1] + 1) ** 3


def compare_discrepancies(one: MeanDiscrepancy, other: MeanDiscrepancy) -> tuple[float, float]:
    """How much farther ``other`` is than ``one`` from the same second set, and the standard error of that."""
    shared = jackknife_variance(other.without[1] - one.without[1])
    own = jackknife_variance(one.without[0]) + jackknife_variance(other.without[0])
    return other.value - one.value, math.sqrt(shared + own)
