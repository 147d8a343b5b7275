from __future__ import annotations

import warnings

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


def test_pixels_without_data_have_no_part_in_constant_images(images):
    valid = torch.rand(len(images), 1, 6, 5, generator=torch.Generator().manual_seed(1)) > 0.4
    valid[:, :, 0, 0] = False
    valid[0, :, 3, 3] = True
    x = np.where(valid.numpy(), to_unit(images).numpy(), np.nan)
    mean, median, colour = constant_images.constant_images(images, valid)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.nanmean(x, axis=0), np.nanmedian(x, axis=0), np.nanmean(x, axis=(0, 2, 3))
    for found, known in zip((mean, median), expected[:2], strict=True):
        whole = np.where(np.isnan(known), expected[2][:, None, None], known)
        assert found.numpy() == pytest.approx(whole, abs=1e-6)
    assert colour.numpy() == pytest.approx(expected[2], abs=1e-6)
    filled = constant_images.fill_with_mean(images, valid)
    assert torch.equal(filled.where(valid, 0), images.where(valid, 0))
    assert to_unit(filled).float().sub(mean).where(~valid, 0).abs().max() <= 0.5 / 127.5 + 1e-6
    none = torch.zeros_like(valid)
    assert all(not found.any() for found in constant_images.constant_images(images, none))
