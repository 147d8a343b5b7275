"""Image metrics against their formulas."""

from __future__ import annotations

import pytest
import torch

from rsforge.metrics.image import active_units, psnr, ssim


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize("count", [1, 3])
def test_psnr_is_the_formula_per_image(images, count) -> None:
    x = images[:count]
    y = (x + torch.tensor([0.01, 0.1, 0.5]).view(3, 1, 1, 1)[:count]).clamp(-1, 1)
    expected = 10 * torch.log10(4 / (x - y).square().mean((1, 2, 3)))
    assert psnr(x, y).shape == (count,)
    torch.testing.assert_close(psnr(x, y), expected, atol=1e-4, rtol=1e-5)


def test_psnr_of_equal_images_is_infinite(images) -> None:
    assert psnr(images, images).tolist() == [float("inf")] * 3


@pytest.mark.parametrize("count", [1, 3])
def test_ssim_is_one_when_equal_and_falls_with_noise_per_image(images, count) -> None:
    x = images[:count]
    torch.testing.assert_close(ssim(x, x), torch.ones(count))
    y = x + torch.tensor([0.0, 0.2, 0.8]).view(3, 1, 1, 1)[:count] * torch.randn_like(x)
    similar = ssim(x, y)
    assert similar.shape == (count,) and (similar.diff() < -0.05).all()


def test_ssim_of_flat_images_is_the_luminance_term() -> None:
    x, y = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.6)
    c1 = (0.01 * 2) ** 2
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    assert ssim(x, y).item() == pytest.approx(expected, rel=1e-3)


def test_half_precision_images_are_measured_in_full(images) -> None:
    half = images.bfloat16()
    torch.testing.assert_close(psnr(half, half.float() + 0.1), psnr(half.float(), half.float() + 0.1))


def test_active_units_counts_what_varies() -> None:
    g = torch.Generator().manual_seed(0)
    mu = torch.randn(1000, 5, generator=g) * torch.tensor([1.0, 0.5, 0.05, 0.0, 0.2]) + 3
    assert active_units(mu) == 3
    assert active_units(mu, threshold=0.1) == 2
    assert active_units(torch.ones(1, 4)) == 0
