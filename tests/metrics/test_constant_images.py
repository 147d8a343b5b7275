from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.metrics import constant_images
from rsforge.metrics.constant_images import mean_colour, mean_image, median_image, to_unit


@pytest.fixture(params=[1, 2, 7, 10])
def images(request) -> torch.Tensor:
    return torch.randint(0, 256, (request.param, 3, 6, 5), generator=torch.Generator().manual_seed(0)).byte()


def test_mean_and_median_are_those_of_numpy(images, monkeypatch):
    x = to_unit(images).numpy()
    assert mean_image(images).numpy() == pytest.approx(x.mean(0), abs=1e-6)
    assert mean_colour(images).numpy() == pytest.approx(x.mean((0, 2, 3)), abs=1e-6)
    assert median_image(images).numpy() == pytest.approx(np.median(x, axis=0), abs=1e-6)
    monkeypatch.setattr(constant_images, "_AT_ONCE", 16)
    assert median_image(images).numpy() == pytest.approx(np.median(x, axis=0), abs=1e-6)


def test_no_constant_image_has_a_smaller_error_of_its_kind(images):
    x = to_unit(images).float()
    for constant, power in ((mean_image(images), 2), (median_image(images), 1)):
        least = (x - constant).abs().pow(power).mean()
        for step in (-0.02, 0.02):
            assert least <= (x - constant - step).abs().pow(power).mean() + 1e-6
