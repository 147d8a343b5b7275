"""Image metrics against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve

from rsforge.metrics.image import active_units, chroma_share, psnr, ssim, total_correlation


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
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    y = x + torch.tensor([0.0, 0.2, 0.8]).view(3, 1, 1, 1)[:count] * noise
    similar = ssim(x, y)
    assert similar.shape == (count,) and (similar.diff() < -0.05).all()


def reference_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Of pictures (C, H, W) from 0 to 255, by scipy: the equation where the whole window lies inside."""
    steps = np.exp(-np.square(np.arange(-5, 6)) / (2 * 1.5**2))
    window = np.outer(steps, steps)[None] / steps.sum() ** 2

    def mean(values: np.ndarray) -> np.ndarray:
        return convolve(values, window, mode="valid")

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    vx, vy, covariance = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    local = (2 * mx * my + c1) * (2 * covariance + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(local.mean())


@pytest.mark.parametrize("sides", [(11, 11), (16, 24), (32, 32)])
@pytest.mark.parametrize("level", [40, 128, 215])
def test_ssim_is_that_of_pictures_from_0_to_255(sides, level) -> None:
    rng = np.random.default_rng(level)
    x = np.clip(np.round(level + 30 * rng.standard_normal((2, 3, *sides))), 0, 255)
    y = np.clip(np.round(0.8 * x + 20 + 15 * rng.standard_normal(x.shape)), 0, 255)
    found = ssim(*(torch.from_numpy(pictures / 127.5 - 1) for pictures in (x, y)))
    assert found.tolist() == pytest.approx([reference_ssim(*two) for two in zip(x, y, strict=True)], abs=2e-5)


def test_ssim_of_flat_images_is_the_luminance_term() -> None:
    x, y = torch.full((1, 1, 16, 16), -0.2), torch.full((1, 1, 16, 16), 0.2)
    c1 = 0.01**2
    expected = (2 * 0.4 * 0.6 + c1) / (0.4**2 + 0.6**2 + c1)
    assert ssim(x, y).item() == pytest.approx(expected, rel=1e-3)


def test_ssim_of_images_below_the_window_is_a_number() -> None:
    x = torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert ssim(x, x).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert ((found := ssim(x, -x)) < 0.9).all() and found.isfinite().all()


def test_half_precision_images_are_measured_in_full(images) -> None:
    half = images.bfloat16()
    torch.testing.assert_close(psnr(half, half.float() + 0.1), psnr(half.float(), half.float() + 0.1))


def test_active_units_counts_what_varies() -> None:
    g = torch.Generator().manual_seed(0)
    mu = torch.randn(1000, 5, generator=g) * torch.tensor([1.0, 0.5, 0.05, 0.0, 0.2]) + 3
    assert active_units(mu) == 3
    assert active_units(mu, threshold=0.1) == 2
    assert active_units(torch.ones(1, 4)) == 0


def test_the_share_of_the_chroma_is_that_of_colours_and_not_of_light():
    x = torch.rand(4, 3, 8, 8) * 2 - 1
    grey = x.mean(1, keepdim=True).expand_as(x)
    half = grey + (x - grey) / 2
    made = torch.cat([x, grey, half, half + 0.3])
    torch.testing.assert_close(
        chroma_share(made, x.repeat(4, 1, 1, 1)).view(4, 4)[:, 0], torch.tensor([1, 0, 0.5, 0.5])
    )
    assert chroma_share(x, grey).tolist() == [1] * 4, "what is grey has no chroma to lose"


def test_total_correlation_is_what_normal_numbers_say_of_each_other() -> None:
    draw = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rho = 0.8
    mixed = torch.stack([draw[:, 0], rho * draw[:, 0] + (1 - rho**2) ** 0.5 * draw[:, 1], 5 * draw[:, 2] + 1], 1)
    assert total_correlation(mixed) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.02)
    assert total_correlation(draw) == pytest.approx(0, abs=0.01)
    collapsed = torch.cat([mixed, torch.ones(len(mixed), 1, dtype=torch.float64)], 1)
    assert total_correlation(collapsed) == pytest.approx(total_correlation(mixed))
    assert total_correlation(mixed[:11]) is None and total_correlation(torch.ones(9, 2)) == 0
