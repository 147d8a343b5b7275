"""Statistics of images."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.audit.image_stats import cloudy_share, measure_image


def test_figures_are_of_what_holds_data():
    values = np.array([[[1.0, 10], [3, 30]], [[5, 50], [99, 990]]], np.float32)
    seen = measure_image(values, np.array([[True, True], [True, False]]))
    assert seen.overall == pytest.approx((1, 50, 16.5, np.std([1, 3, 5, 10, 30, 50])))
    assert seen.band_ranges[0][:3] == (1, 5, 3) and seen.band_ranges[1][:3] == (10, 50, 30)
    assert seen.valid == 0.75 and seen.dtype == "float32"


def test_clouds_are_bright_white_and_smooth():
    rng = np.random.default_rng(0)
    cloud = np.clip(220 + rng.normal(0, 3, (64, 64, 1)) + np.zeros(3), 0, 255).astype(np.uint8)
    assert cloudy_share(cloud) == 1
    assert cloudy_share(np.where(rng.random((64, 64, 1)) < 0.5, cloud, 40).astype(np.uint8)) < 0.05
    assert cloudy_share((cloud * [1.0, 0.7, 0.5]).astype(np.uint8)) == 0
    assert cloudy_share(cloud.astype(np.uint16)) == 0
