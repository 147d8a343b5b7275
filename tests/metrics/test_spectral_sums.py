"""Figures from sums, beside numpy on all valid pixels of several images together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.metrics import spectral_sums
from rsforge.metrics.image import ssim
from rsforge.metrics.spectral import mrae
from rsforge.metrics.spectral_sums import derive_figures, derive_rmse_per_band, measure_response, measure_sums

BANDS = 7
GAIN, OFFSET = torch.tensor([0.2]), torch.tensor([-0.1])


def draw_images(seed: int, side: int, share: float):
    rng = np.random.default_rng(seed)
    target = rng.uniform(0, 5, (BANDS, side, side)).astype(np.float32)
    target[0] *= 0.001
    output = (target + rng.normal(0, 0.5, target.shape)).astype(np.float32)
    return output, target, rng.uniform(size=(side, side)) < share


def measure(output, target, valid, *, gain=GAIN, offset=OFFSET):
    return measure_sums(*map(torch.from_numpy, (output, target, valid)), gain=gain, offset=offset)


def add(*sums):
    return {name: sum(one[name] for one in sums) for name in sums[0]}


@pytest.fixture
def images():
    """Two images, of very different numbers of valid pixels; an invalid value may be anything."""
    made = [draw_images(1, 20, 0.9), draw_images(2, 14, 0.1)]
    for output, target, valid in made:
        output[:, ~valid], target[:, ~valid] = np.nan, 1e6
    return made


@pytest.mark.parametrize("strip", [1 << 14, 30])
def test_figures_are_those_of_all_valid_pixels_together(images, monkeypatch, strip):
    monkeypatch.setattr(spectral_sums, "STRIP", strip)
    figures = derive_figures(add(*(measure(*one) for one in images)), gain=GAIN.numpy(), scale=4)
    x, y = (np.concatenate([one[k][:, one[2]] for one in images], axis=1).astype(float) for k in (0, 1))
    cosine = (x * y).sum(0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    square = ((x - y) ** 2).mean(1)
    assert figures["sam_deg"] == pytest.approx(np.degrees(np.arccos(cosine)).mean(), rel=1e-6)
    assert figures["rmse"] == pytest.approx(np.sqrt(square.mean()), rel=1e-9)
    assert figures["psnr_db"] == pytest.approx(10 * np.log10(1 / (0.2**2 * square.mean())), rel=1e-6)
    assert figures["ergas"] == pytest.approx(100 / 4 * np.sqrt((square / y.mean(1) ** 2).mean()), rel=1e-9)
    per_band = derive_rmse_per_band(add(*(measure(*one) for one in images)))
    np.testing.assert_allclose(per_band, np.sqrt(square), rtol=1e-9)


def test_they_are_not_means_of_the_images(images):
    sums = [measure(*one) for one in images]
    together = derive_figures(add(*sums), gain=GAIN.numpy(), scale=1)
    means = [np.mean([derive_figures(one, gain=GAIN.numpy(), scale=1)[name] for one in sums])
             for name in ("sam_deg", "rmse")]  # fmt: skip
    assert together["sam_deg"] != pytest.approx(means[0], rel=1e-3)
    assert together["rmse"] != pytest.approx(means[1], rel=1e-3)


def test_relative_errors_are_bounded_below_in_each_image(images):
    sums = [measure(*one) for one in images]
    tensors = [[torch.from_numpy(one) for one in image] for image in images]
    each = [float(mrae(x[None], y[None], valid[None, None])) for x, y, valid in tensors]
    pixels = [int(one[2].sum()) for one in images]
    assert derive_figures(add(*sums), gain=GAIN.numpy(), scale=1)["mrae"] == pytest.approx(
        np.average(each, weights=pixels)
    )


def test_similarity_is_over_windows_that_are_valid_everywhere():
    output, target, _ = draw_images(3, 24, 1.0)
    whole = np.ones((24, 24), bool)
    sums = measure(output, target, whole)
    unit = [torch.from_numpy(0.2 * image - 0.1)[:, None] * 2 - 1 for image in (output, target)]  # band by band
    assert sums["windows"] == 14**2
    assert sums["similarity"] / sums["windows"] == pytest.approx(float(ssim(*unit).mean()), abs=1e-6)
    whole[0, 12] = False
    broken = measure(output, target, whole)
    assert broken["windows"] == 14**2 - 11  # those that reach the first row there
    output[:, 0, 12] = 1e5
    assert measure(output, target, whole)["similarity"] == pytest.approx(float(broken["similarity"]))
    assert measure(output[:, :10], target[:, :10], whole[:10])["windows"] == 0


def test_a_perfect_prediction_has_no_error():
    _, target, valid = draw_images(4, 16, 0.98)
    figures = derive_figures(measure(target, target, valid), gain=GAIN.numpy(), scale=1)
    assert figures["sam_deg"] == figures["rmse"] == figures["ergas"] == figures["mrae"] == 0
    assert figures["psnr_db"] == np.inf


def test_zeros_are_survived():
    """A spectrum of zeros has no direction, an image of zeros no relative error, an empty one no figure."""
    output, target, valid = draw_images(5, 12, 1.0)
    target[:, :6] = 0
    sums = measure(output, target, valid)
    assert sums["angle_pixels"] == 72 and sums["pixels"] == 144 and np.isfinite(float(sums["relative"]))
    dark = measure(output, 0 * target, valid)
    assert dark["relative_pixels"] == 0 == dark["angle_pixels"]
    both = derive_figures(add(sums, dark), gain=GAIN.numpy(), scale=1)
    assert both["mrae"] == pytest.approx(float(sums["relative"]) / 144) and np.isfinite(both["ergas"])
    nothing = derive_figures(measure(output, target, ~valid), gain=GAIN.numpy(), scale=1)
    assert all(np.isnan(value) for value in nothing.values())


def test_a_prediction_that_is_no_number_is_no_figure():
    output, target, valid = draw_images(6, 12, 1.0)
    output[2, 3, 3] = np.nan
    figures = derive_figures(measure(output, target, valid), gain=GAIN.numpy(), scale=1)
    assert all(np.isnan(figures[name]) for name in ("sam_deg", "rmse", "ergas", "mrae", "psnr_db"))


@pytest.mark.parametrize("coarse", [False, True])
def test_the_response_is_compared_where_whole_pixels_are_valid(coarse):
    output, target, valid = draw_images(7, 12, 1.0)
    response = np.random.default_rng(0).uniform(size=(3, BANDS))
    weights = np.repeat(np.eye(4), 3, axis=1) / 3 if coarse else np.eye(12)
    shape = (3, *[len(weights)] * 2)
    measured = np.einsum("kb,bhw,ih,jw->kij", response, target, weights, weights).reshape(shape)
    valid[5, 5], measured[:, 0, 0] = False, np.nan
    output[:, 5, 5] = np.nan
    grid = (torch.from_numpy(weights),) * 2 if coarse else None
    given = [torch.from_numpy(one) for one in (output, valid, measured, response)]
    sums = measure_response(*given, grid)
    seen = np.einsum("kb,bhw,ih,jw->kij", response, np.nan_to_num(output), weights, weights)
    square = ((seen - measured) ** 2).mean(0)
    square[(1, 1) if coarse else (5, 5)] = np.nan
    assert sums["response_pixels"] == len(weights) ** 2 - 2
    assert sums["response_square"] == pytest.approx(np.nansum(square), rel=1e-6)
    perfect = measure_response(torch.from_numpy(target), *given[1:], grid)
    assert perfect["response_square"] < 1e-9
