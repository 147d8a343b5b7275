from __future__ import annotations

import os
import signal
from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader import BatchLoader, collate_named, to_device
from rsforge.errors import RsforgeError
from tests.engine.toys import Points


class Place(SingleProcess):
    def __init__(self, rank, size):
        self.rank, self.size = rank, size


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
def test_every_epoch_shows_every_sample_exactly_once(count, batch, accumulate, size):
    loaders = [
        BatchLoader(Points(count), batch_size=batch, accumulate=accumulate, world=Place(r, size)) for r in range(size)
    ]
    per_epoch = loaders[0].steps_per_epoch
    for epoch in (0, 1):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        keys = [key for loader in loaders for step in steps for _, own in loader._own(step) for key in own]
        assert sorted(keys) == [(epoch, i) for i in range(count)]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 3))
def test_weights_of_a_step_sum_to_one_over_all_processes(count, batch, accumulate):
    loaders = [BatchLoader(Points(count), batch_size=batch, accumulate=accumulate, world=Place(r, 2)) for r in range(2)]
    stop = loaders[0].steps_per_epoch
    for shares in zip(*(loader.steps(0, stop) for loader in loaders), strict=True):
        assert sum(m.weight for share in shares for m in share) == pytest.approx(1.0)


def test_starting_in_the_middle_gives_the_same_batches_whatever_the_workers():
    def micros(workers, start):
        loader = BatchLoader(Points(22, 0.3), batch_size=4, accumulate=2, seed=9, workers=workers)
        return [micro for step in loader.steps(start, 8) for micro in step]

    straight, late = micros(0, 0), micros(2, 3)
    assert [m.names for m in late] == [m.names for m in straight[-len(late) :]]
    assert all(torch.equal(a.batch["x"], b.batch["x"]) for a, b in zip(late, straight[-len(late) :], strict=True))


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


class Pair(NamedTuple):
    sar: torch.Tensor
    name: str


def test_batches_move_with_everything_inside_them():
    batch = {"a": torch.zeros(1), "b": [torch.ones(1), "text"], "pair": Pair(torch.ones(1), "x")}
    moved = to_device(batch, torch.device("meta"))
    assert moved["b"][0].is_meta and moved["b"][1] == "text"
    assert isinstance(moved["pair"], Pair) and moved["pair"].sar.is_meta and moved["pair"].name == "x"


def test_items_become_named_batches_of_tensors_strings_and_records():
    items = [{"x": torch.full((2,), float(k)), "text": f"t{k}", "n": k, "record": {"season": None}} for k in range(3)]
    batch = collate_named(items)
    assert batch["x"].shape == (3, 2) and batch["text"] == ["t0", "t1", "t2"]
    assert batch["n"].tolist() == [0, 1, 2] and batch["record"] == [{"season": None}] * 3


def test_a_nested_mapping_of_tensors_is_stacked():
    batch = collate_named([{"a": {"b": torch.ones(2)}} for _ in range(3)])
    assert batch["a"]["b"].shape == (3, 2)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3))
def test_even_steps_have_equally_many_micro_batches(count, batch, accumulate, size):
    try:
        loader = BatchLoader(Points(count), batch_size=batch, accumulate=accumulate, world=Place(0, size), even=True)
    except RsforgeError as error:
        assert error.code == "RSF-U005" and count < accumulate * size * -(-count // (batch * accumulate * size))
        return
    shares = [loader.slots(step) for step in range(loader.steps_per_epoch)]
    assert {len(share) for share in shares} == {accumulate * size}
    assert sum(len(span) for share in shares for _, span in share) == count
    assert all(0 < len(span) <= batch for share in shares for _, span in share)


@given(st.integers(1, 200), st.integers(2, 40))
def test_micro_batches_are_nearly_equal_and_none_holds_one_sample_alone(count, batch):
    """A tail of one would stop batch normalisation of a single value."""
    loader = BatchLoader(Points(count), batch_size=batch)
    sizes = [len(span) for step in range(loader.steps_per_epoch) for _, span in loader.slots(step)]
    assert sum(sizes) == count and max(sizes) <= batch and max(sizes) - min(sizes) <= 1
    assert min(sizes) > 1 or count < 3 or batch == 2
    assert loader.largest == max(sizes)
