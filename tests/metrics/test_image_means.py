"""Means over images beside the definitions of SSPSR and MST++ in numpy, and images that have no figure."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.metrics.image_means import NAMES, derive_means, measure_image
from rsforge.metrics.spectral_sums import measure_sums

PEAK = 4.0


def draw(seed, side=12, error=0.1):
    rng = np.random.default_rng(seed)
    target = rng.uniform(0.5, 4, (5, side, side))
    return target + rng.normal(0, error, target.shape), target, np.ones((side, side), bool)


def measure(output, target, valid):
    output, target, valid = (torch.from_numpy(one) for one in (output, target, valid))
    sums = measure_sums(output, target, valid, gain=torch.ones(1), offset=torch.zeros(1))
    return measure_image(output, target, valid, sums, scale=4)


def mean(*images):
    sums = [measure(*image) for image in images]
    return derive_means({name: sum(one[name] for one in sums) for name in sums[0]}, peak=PEAK)


def by_their_programs(x, y, valid):
    x, y = x[:, valid], y[:, valid]
    square = ((x - y) ** 2).mean(1)
    cosine = (x * y).sum(0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    return {
        "mpsnr_db": np.mean([10 * np.log10(PEAK**2 / one) for one in square]),
        "mean_psnr_db": 10 * np.log10(PEAK**2 / square.mean()),
        "mean_sam_deg": np.degrees(np.arccos(cosine)).mean(),
        "mean_rmse": np.linalg.norm(x - y) / np.sqrt(x.size),
        "mean_mrae": (np.abs(x - y) / y).mean(),
        "mean_ergas": 100 / 4 * np.sqrt((square / y.mean(1) ** 2).mean()),
        "cc": np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(x, y, strict=True)]),
    }


def test_they_are_means_of_the_figures_of_each_image():
    images = [draw(0), draw(1, side=7, error=1.0)]
    images[1][2][2:4] = False
    ours, each = mean(*images), [by_their_programs(*image) for image in images]
    assert set(ours) == set(NAMES) == set(each[0])
    for name in NAMES:
        assert ours[name] == pytest.approx(np.mean([one[name] for one in each]), rel=1e-5), name


def test_images_without_a_valid_pixel_count_in_none():
    image, (x, y, valid) = draw(0), draw(1)
    assert mean(image, (x, y, ~valid)) == pytest.approx(mean(image))
    assert all(np.isnan(value) for value in mean((x, y, ~valid)).values())


def test_a_prediction_that_is_no_number_is_not_left_out():
    image, (x, y, valid) = draw(0), draw(1)
    x[2, 3, 3] = np.nan
    assert all(np.isnan(value) for value in mean(image, (x, y, valid)).values())
    valid[3, 3] = False
    assert all(np.isfinite(value) for value in mean(image, (x, y, valid)).values())


def test_bands_that_tell_nothing():
    x, y, valid = draw(0)
    y[1] = 2.0  # constant: without a correlation
    y[2, 0, 0] = 0.0  # without a relative error
    x[3] = 1.0  # a constant prediction
    found = mean((x, y, valid))
    own = [np.corrcoef(x[k].ravel(), y[k].ravel())[0, 1] for k in (0, 2, 4)]
    assert found["cc"] == pytest.approx(sum(own) / 4) and np.isnan(found["mean_mrae"])
    dark = measure(x, np.zeros_like(y), valid)
    assert dark["images_cc"] == dark["images_mean_ergas"] == dark["images_mean_sam_deg"] == 0 < dark["images_mean_rmse"]
    equal = mean((y, y, valid))
    assert np.isnan(equal["mpsnr_db"]) and equal["mean_rmse"] == 0
