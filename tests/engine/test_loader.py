from __future__ import annotations

import os
import signal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader import BatchLoader, to_device
from rsforge.errors import RsforgeError
from tests.engine.toys import Points


class Place(SingleProcess):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_every_epoch_shows_every_sample_exactly_once(count, batch, accumulate, size):
    feeds = [
        BatchLoader(Points(count), batch_size=batch, accumulate=accumulate, world=Place(r, size)) for r in range(size)
    ]
    per_epoch = feeds[0].steps_per_epoch
    for epoch in (0, 1):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        keys = [k for f in feeds for s in steps for _, ks in f._own(s) for k in ks]
        assert sorted(keys) == [(epoch, i) for i in range(count)]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 3))
def test_weights_of_a_step_sum_to_one_over_all_processes(count, batch, accumulate):
    feeds = [BatchLoader(Points(count), batch_size=batch, accumulate=accumulate, world=Place(r, 2)) for r in range(2)]
    stop = feeds[0].steps_per_epoch
    for shares in zip(*(f.steps(0, stop) for f in feeds), strict=True):
        assert sum(m.weight for share in shares for m in share) == pytest.approx(1.0)


def test_starting_in_the_middle_gives_the_same_batches_whatever_the_workers():
    feed = lambda w: BatchLoader(Points(22, 0.3), batch_size=4, accumulate=2, seed=9, workers=w)  # noqa: E731
    straight = [m for ms in feed(0).steps(0, 8) for m in ms]
    late = [m for ms in feed(2).steps(3, 8) for m in ms]
    assert [m.names for m in late] == [m.names for m in straight[-len(late) :]]
    assert all(torch.equal(a.batch, b.batch) for a, b in zip(late, straight[-len(late) :], strict=True))


def test_reading_ahead_does_not_touch_the_global_random_state():
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    list(BatchLoader(Points(8), batch_size=4).steps(0, 2))
    assert torch.equal(torch.rand(3), expected)


class Broken(Points):
    def __getitem__(self, key):
        raise RsforgeError("RSF-D002", "an image cannot be read", where="a.png")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_expected_error_crosses_the_worker_as_itself(workers):
    with pytest.raises(RsforgeError) as caught:
        list(BatchLoader(Broken(4), batch_size=2, workers=workers).steps(0, 1))
    assert (caught.value.code, caught.value.where) == ("RSF-D002", "a.png")


class Suicidal(Points):
    def __getitem__(self, key):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_dead_worker_is_named():
    with pytest.raises(RsforgeError) as caught:
        list(BatchLoader(Suicidal(4), batch_size=2, workers=1).steps(0, 1))
    assert caught.value.code == "RSF-E009"


def test_moved_reaches_into_nested_batches():
    batch = {"a": torch.zeros(1), "b": [torch.ones(1), "text"]}
    assert to_device(batch, torch.device("meta"))["b"][0].is_meta


@given(st.integers(1, 200), st.integers(2, 40))
def test_micro_batches_are_nearly_equal_and_none_holds_one_sample_alone(count, batch):
    """A tail of one would stop batch normalisation of a single value."""
    feed = BatchLoader(Points(count), batch_size=batch)
    sizes = [len(keys) for step in range(feed.steps_per_epoch) for _, keys in feed.slots(step)]
    assert sum(sizes) == count and max(sizes) <= batch and max(sizes) - min(sizes) <= 1
    assert min(sizes) > 1 or count < 3 or batch == 2
