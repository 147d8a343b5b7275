"""The share of a step that counts."""

from __future__ import annotations

import pytest
import torch

from rsforge.engine.counted_share import CountedShare
from rsforge.engine.distributed import SingleProcess
from tests.engine.toys import CPU


class Other(SingleProcess):
    """One of two processes, of which the other has ``more``."""

    size = 2

    def __init__(self, *more):
        self.more = torch.tensor(more)

    def sum(self, values):
        return (values + self.more).double()


def average(world, *parts):
    share = CountedShare(CPU, world)
    total = torch.zeros(2)
    for weight, counted, mean in parts:
        total += mean * share.add(weight, None if counted is None else torch.tensor(counted))
    share.divide([total])
    return total.tolist()


def test_means_become_the_mean_over_what_counts():
    found = average(SingleProcess(), (0.25, 0.5, 1.0), (0.5, 0.25, 3.0), (0.25, 0.0, 0.0))
    assert found == pytest.approx([2.0, 2.0])
    assert average(SingleProcess(), (0.75, None, 1.0), (0.25, 0.2, 5.0)) == pytest.approx([1.0 / 0.8] * 2)


def test_the_share_is_that_of_all_processes():
    found = average(Other(0.125, 0.5), (0.5, 0.75, 1.0))
    assert found == pytest.approx([0.375 / 0.5] * 2)  # the other's sum of means is added before
    assert average(Other(0.25, 0.5), (0.5, None, 1.0)) == pytest.approx([0.5 / 0.75] * 2)
    assert average(Other(0.5, 1.0)) == [0.0, 0.0]


def test_where_everything_counts_nothing_is_changed():
    for world in (SingleProcess(), Other(0.3, 0.3)):
        assert average(world, (0.1, None, 1.0), (0.6, None, 1.0)) == (torch.zeros(2) + 0.1 + 0.6).tolist()


def test_where_nothing_counts_the_mean_is_zero():
    assert average(SingleProcess(), (0.5, 0.0, 0.0), (0.5, 0.0, 0.0)) == [0.0, 0.0]
