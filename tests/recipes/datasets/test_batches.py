"""Batches of items, and their index ranges."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rsforge.data.synthetic.tile_dataset import SyntheticTiles
from rsforge.recipes.datasets.batches import index_ranges, stack_samples


@given(st.integers(0, 200), st.integers(1, 40))
def test_ranges_cover_every_index_once(count, size):
    ranges = list(index_ranges(count, size))
    assert [index for indices in ranges for index in indices] == list(range(count))
    assert all(len(indices) == size for indices in ranges[:-1]) and all(0 < len(indices) <= size for indices in ranges)


@pytest.mark.parametrize(("indices", "length"), [(range(2), 2), (range(3, 9), 2), (range(1, 2), 1)])
def test_items_past_the_end_are_left_out(indices, length):
    samples = SyntheticTiles(5, image_size=16, seed=0)
    batch = stack_samples(samples, indices)
    assert batch.shape == (length, 3, 16, 16) and torch.equal(batch[0], samples[0, indices[0]])
