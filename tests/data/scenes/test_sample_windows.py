from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.scenes.sample_windows import spread_windows


@pytest.mark.parametrize(("height", "width"), [(1, 1), (127, 300), (1024, 1000), (5000, 129), (3000, 9000)])
def test_windows_are_spread_over_an_image_and_cover_what_is_small(height, width):
    found, seen = spread_windows(height, width), np.zeros((height, width), np.uint8)
    for window in found:
        assert 0 < window.height <= 128 and 0 < window.width <= 128
        seen[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert len(found) <= 64 and seen.max() == 1 and seen.sum() == min(height, 1024) * min(width, 1024)
    assert seen[: -(-height // 8), : -(-width // 8)].any() and seen[-height // 8 :, -width // 8 :].any()
