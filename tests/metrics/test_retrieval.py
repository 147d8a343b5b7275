"""Recall among the first results, with ties."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch

from rsforge.metrics.retrieval import chance_level, expected_hits, mean_rank


def by_all_orders(scores, relevant, k) -> float:
    """The mean over all orders of equal scores."""
    orders = list(permutations(range(len(scores))))
    hits = [any(relevant[j] for j in sorted(order, key=lambda j: -scores[j])[:k]) for order in orders]
    return sum(hits) / len(orders)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
def test_ties_are_broken_by_chance(k):
    g = torch.Generator().manual_seed(k)
    scores = torch.randint(0, 3, (12, 5), generator=g).float()
    relevant = torch.rand(12, 5, generator=g) < 0.3
    expected = [by_all_orders(s, r, k) for s, r in zip(scores.tolist(), relevant.tolist(), strict=True)]
    torch.testing.assert_close(expected_hits(scores, relevant, k), torch.tensor(expected, dtype=torch.float64))


def test_chance_is_the_share_of_relevant_ones():
    relevant = torch.tensor([[True, False, False, False], [True, True, False, False]])
    assert chance_level(relevant, 1).tolist() == [0.25, 0.5]
    assert chance_level(relevant, 2).tolist() == pytest.approx([0.5, 5 / 6])
    assert chance_level(relevant, 5).tolist() == [1, 1]


def test_the_rank_of_the_own_result_counts_half_of_its_ties():
    scores = torch.tensor([[3.0, 2.0, 1.0], [2.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    relevant = torch.tensor([[False, False, True], [True, False, False], [False, True, False]])
    assert mean_rank(scores, relevant).tolist() == [3, 1.5, 2]
