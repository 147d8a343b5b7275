"""Spectral metrics against their formulas and torchmetrics."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.metrics.spectral import ergas, mrae, rmse, rmse_per_band, sam_deg, sam_rad

METRICS = {
    "sam_rad": sam_rad,
    "sam_deg": sam_deg,
    "rmse": rmse,
    "rmse_per_band": rmse_per_band,
    "ergas": lambda x, y, valid=None: ergas(x, y, valid, scale=7.5),
    "mrae": mrae,
}


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    y = torch.rand(3, 5, 16, 12, generator=g) + 0.1
    return y + torch.tensor([0.01, 0.1, 0.4]).view(3, 1, 1, 1) * torch.randn(y.shape, generator=g), y


def test_the_angle_is_torchmetrics(pair) -> None:
    ensure_torchvision()
    from torchmetrics.functional.image import spectral_angle_mapper

    for k, angle in enumerate(sam_rad(*pair)):
        reference = spectral_angle_mapper(*(t[k : k + 1].double() for t in pair))
        torch.testing.assert_close(angle, reference)


@pytest.mark.parametrize("scale", [1, 4, 7.5])
def test_ergas_is_torchmetrics(pair, scale) -> None:
    ensure_torchvision()
    from torchmetrics.functional.image import error_relative_global_dimensionless_synthesis

    for k, found in enumerate(ergas(*pair, scale=scale)):
        one = (t[k : k + 1].double() for t in pair)
        torch.testing.assert_close(found, error_relative_global_dimensionless_synthesis(*one, ratio=scale))


def test_errors_are_those_of_numpy(pair) -> None:
    x, y = (t.double() for t in pair)
    torch.testing.assert_close(rmse(x, y), (x - y).square().mean((1, 2, 3)).sqrt())
    torch.testing.assert_close(rmse_per_band(x, y), (x - y).square().mean((2, 3)).sqrt())
    torch.testing.assert_close(mrae(x, y), ((x - y).abs() / y).mean((1, 2, 3)))


def test_degrees_are_named_so(pair) -> None:
    torch.testing.assert_close(sam_deg(*pair), torch.rad2deg(sam_rad(*pair)))


@pytest.mark.parametrize("name", METRICS)
def test_each_image_has_its_own_figure(name, pair) -> None:
    x, y = pair
    together = METRICS[name](x, y)
    assert together.shape == ((3, 5) if name == "rmse_per_band" else (3,))
    torch.testing.assert_close(together, torch.cat([METRICS[name](x[k : k + 1], y[k : k + 1]) for k in range(3)]))
    assert (together.flatten(1).mean(1) if together.ndim > 1 else together).diff().min() > 0


@pytest.mark.parametrize("name", METRICS)
def test_equal_images_are_at_zero(name, pair) -> None:
    assert METRICS[name](pair[1], pair[1]).abs().max() < 1e-7


@pytest.mark.parametrize("name", METRICS)
def test_pixels_that_are_not_valid_do_not_count(name, pair) -> None:
    x, y = pair
    valid = torch.zeros(3, 1, 16, 12, dtype=torch.bool)
    valid[..., 2:9, 3:] = True
    expected = METRICS[name](x[..., 2:9, 3:], y[..., 2:9, 3:])
    torch.testing.assert_close(METRICS[name](x, y, valid), expected)
    spoilt = METRICS[name](x.where(valid, torch.nan), y.where(valid, -torch.inf), valid)
    torch.testing.assert_close(spoilt, expected)


@pytest.mark.parametrize("name", METRICS)
def test_an_image_without_a_valid_pixel_has_no_figure(name, pair) -> None:
    x, y = pair
    valid = torch.ones(3, 1, 16, 12, dtype=torch.bool)
    valid[1] = False
    found = METRICS[name](x, y, valid)
    assert found[1].isnan().all() and found[[0, 2]].isfinite().all()


def test_targets_of_zeros_have_no_angle(pair) -> None:
    x, y = pair
    expected = sam_rad(x[..., 8:, :], y[..., 8:, :])
    y = y.clone()
    y[..., :8, :] = 0
    torch.testing.assert_close(sam_rad(x, y), expected)
    assert sam_rad(torch.zeros_like(x), pair[1]).tolist() == pytest.approx([math.pi / 2] * 3)


def test_small_angles_are_not_lost() -> None:
    y = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    x = torch.tensor([1.0, 1e-5]).view(1, 2, 1, 1)
    assert sam_rad(x, y).item() == pytest.approx(1e-5, rel=1e-4)


def test_bands_without_a_mean_do_not_spoil_ergas(pair) -> None:
    x, y = pair
    expected = ergas(x[:, 1:], y[:, 1:], scale=2)
    y = y.clone()
    y[:, 0] = 0
    torch.testing.assert_close(ergas(x, y, scale=2), expected)


def test_relative_errors_survive_zeros(pair) -> None:
    x, y = pair[0].double(), pair[1].double().clone()
    y[:, :, 0, 0] = 0
    y[:, :, 0, 1] = -1e-9
    floor = 0.01 * y.abs().mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(mrae(x, y), ((x - y).abs() / y.abs().clamp(min=floor)).mean((1, 2, 3)))
    half = mrae(x, y, least_share=0.5)
    assert (half < mrae(x, y)).all()
    assert mrae(x, torch.zeros_like(y)).isnan().all()


def test_brightness_does_not_turn_a_spectrum(pair) -> None:
    assert sam_deg(3 * pair[1], pair[1]).max() < 1e-5
    assert sam_deg(-pair[1], pair[1]).tolist() == pytest.approx([180] * 3)


@pytest.mark.parametrize("name", METRICS)
def test_images_of_other_shapes_are_refused(name, pair) -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        METRICS[name](pair[0], pair[1][:1])
