from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, kstest

from rsforge.engine.loader import BatchLoader
from rsforge.engine.shuffle import ORDERS, drawn_whole, feistel, in_sequence
from rsforge.seeds import derive
from tests.engine.toys import Points


@given(st.integers(0, 2**63 - 1), st.integers(0, 1000), st.integers(1, 300))
def test_every_index_stands_at_exactly_one_position(seed, epoch, count):
    assert sorted(feistel(seed, epoch, count, k) for k in range(count)) == list(range(count))


def test_small_permutations_are_equally_frequent():
    """Chi-square over the 24 permutations of four, at a significance of one in a thousand."""
    draws, counts = 4800, {}
    for seed in range(draws):
        order = tuple(feistel(seed, 3, 4, k) for k in range(4))
        counts[order] = counts.get(order, 0) + 1
    statistic = sum((n - draws / 24) ** 2 / (draws / 24) for n in counts.values())
    assert len(counts) == 24 and statistic < chi2.ppf(0.999, 23)


def test_the_first_of_many_is_anywhere():
    count = 1000
    firsts = [(feistel(seed, 0, count, 0) + 0.5) / count for seed in range(2000)]
    assert kstest(firsts, "uniform").pvalue > 1e-3


def test_neighbours_are_not_near_each_other_more_than_by_chance():
    count = 4096
    order = torch.tensor([feistel(7, 1, count, k) for k in range(count)], dtype=torch.float64)
    assert abs(float(torch.corrcoef(torch.stack([order[:-1], order[1:]]))[0, 1])) < 4 / count**0.5


def test_seeds_and_epochs_have_orders_of_their_own():
    orders = {tuple(feistel(seed, epoch, 50, k) for k in range(50)) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_what_a_step_costs_does_not_depend_on_the_number_of_samples(monkeypatch):
    """As many indices are computed as samples are read, whatever the size of the set."""

    class Many(Points):
        def __len__(self):
            return 10**9

    calls = []
    counted = lambda *key: calls.append(key) or feistel(*key)  # noqa: E731
    monkeypatch.setitem(ORDERS, "feistel", counted)
    loader = BatchLoader(Many(4), batch_size=16, accumulate=2)
    keys = [key for _, span in loader.slots(123_456) for key in loader.keys(123_456, span)]
    assert len(calls) == len(keys) == len(set(keys)) <= 32


def test_the_order_of_former_checkpoints_is_torchs_permutation():
    generator = torch.Generator().manual_seed(derive(3, "order", 2))
    expected = torch.randperm(30, generator=generator).tolist()
    assert [drawn_whole(3, 2, 30, k) for k in range(30)] == expected


def test_held_out_samples_stay_in_sequence():
    assert [in_sequence(1, 2, 9, k) for k in range(9)] == list(range(9))
