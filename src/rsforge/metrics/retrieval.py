"""How often a search finds what it should among its first results."""

from __future__ import annotations

import torch
from torch import Tensor


def expected_hits(scores: Tensor, relevant: Tensor, k: int) -> Tensor:
    """For each query the probability that one of its first ``k`` results is relevant, ``(Q,)`` in [0, 1].

    ``scores`` and ``relevant`` (true or false) are ``(Q, G)``, higher scores come first. Results of equal score come in
    random order, so that the result is exact for predictors that cannot tell them apart: with all scores equal it is
    the level of chance, from the hypergeometric distribution.
    """
    k = min(k, scores.shape[1])
    threshold = scores.topk(k, dim=1).values[:, -1:]
    above, tied = scores > threshold, scores == threshold
    drawn = k - above.sum(1)  # of the tied ones, at random
    count, wrong = tied.sum(1).double(), (tied & ~relevant).sum(1).double()
    miss = torch.ones(len(scores), dtype=torch.float64, device=scores.device)
    for n in range(k):
        chance = (wrong - n).clamp(min=0) / (count - n).clamp(min=1)
        miss = torch.where(drawn > n, miss * chance, miss)
    return torch.where((above & relevant).any(1), 1.0, 1 - miss)


def chance_level(relevant: Tensor, k: int) -> Tensor:
    """``expected_hits`` of a search that knows nothing."""
    return expected_hits(torch.zeros(relevant.shape, device=relevant.device), relevant, k)


def mean_rank(scores: Tensor, relevant: Tensor) -> Tensor:
    """The rank, from 1, at which the only relevant result of each query is to be expected ``(Q,)``."""
    own = scores.masked_fill(~relevant, -torch.inf).amax(1, keepdim=True)
    return (scores > own).sum(1) + ((scores == own).sum(1) + 1) / 2
