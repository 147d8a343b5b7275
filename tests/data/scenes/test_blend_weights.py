from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.scenes.blend_weights import blend_weights


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.sampled_from([0, 0.1, 0.5, 1]), st.lists(st.floats(0.05, 1), max_size=6))
def test_the_weights_of_a_pixel_are_positive_somewhere_and_add_up_to_one(tile, share, strides):
    starts = [0]
    for stride in strides:
        starts.append(starts[-1] + max(1, int(stride * tile)))
    shared = min([tile, *(a + tile - b for a, b in pairwise(starts))])
    total = np.zeros(starts[-1] + tile)
    for start, weight in zip(starts, blend_weights(starts, tile, share * shared), strict=True):
        assert weight.min() >= 0
        total[start : start + tile] += weight
    assert total == pytest.approx(np.ones(len(total)), abs=1e-6)


def test_a_tile_alone_counts_whole_to_its_edges():
    (weight,) = blend_weights([0], 5, 3)
    assert (weight == 1).all()


def test_half_way_between_two_tiles_both_count_alike():
    first, second = blend_weights([0, 6], 10, 4.0)
    rise = np.sin(np.pi / 2 * (np.arange(4) + 0.5) / 4) ** 2
    assert second[:4] == pytest.approx(rise) and first[6:] == pytest.approx(rise[::-1])
