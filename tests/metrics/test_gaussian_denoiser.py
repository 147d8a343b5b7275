"""The best denoiser of normally distributed latents, beside the formula with full matrices and beside regression."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from rsforge.metrics import gaussian_denoiser
from rsforge.metrics.gaussian_denoiser import (
    SCALES,
    count_bytes,
    draw_samples,
    fit_denoiser,
    mix_scales,
    sort_by_pooling,
)
from rsforge.metrics.shrunk_gaussian import fit_shrunk

SHAPE = (2, 3, 2)


def draw(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(12, 12, generator=torch.Generator().manual_seed(7)) * torch.linspace(0.1, 1.5, 12)
    return 0.3 + torch.randn(count, 12, generator=generator) @ mixing.T


@pytest.mark.parametrize("count", [6, 400])  # fewer samples than numbers, and many
def test_it_is_the_conditional_mean_by_full_matrices(count):
    samples = draw(count).double()
    gaussian = fit_denoiser(samples)
    assert gaussian.basis.shape == (12, min(count - 1, 12))
    basis, variances = gaussian.basis.double(), gaussian.variances.double()
    torch.testing.assert_close(basis.T @ basis, torch.eye(basis.shape[1], dtype=torch.float64), atol=1e-5, rtol=0)
    covariance = (basis * variances) @ basis.T + gaussian.rest * (torch.eye(12) - basis @ basis.T)
    x_t, alpha_bar = draw(5, seed=1), torch.tensor([0.999, 0.7, 0.5, 0.1, 0.0], dtype=torch.float64)
    x_0, eps = gaussian(x_t.view(5, *SHAPE), alpha_bar)
    assert x_0.shape == eps.shape == (5, *SHAPE)
    for k, signal in enumerate(alpha_bar):
        whole = signal * covariance + (1 - signal) * torch.eye(12)
        y = x_t[k].double() - signal.sqrt() * gaussian.mean
        expected = gaussian.mean + signal.sqrt() * covariance @ torch.linalg.solve(whole, y)
        noise = (1 - signal).sqrt() * torch.linalg.solve(whole, y)
        torch.testing.assert_close(x_0[k].flatten().double(), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(eps[k].flatten().double(), noise, atol=1e-4, rtol=1e-4)


def test_a_linear_map_fitted_to_many_pairs_is_hardly_better():
    samples, signal = draw(1500), torch.tensor(0.4)
    eps = torch.randn(samples.shape, generator=torch.Generator().manual_seed(2))
    x_t = signal.sqrt() * samples + (1 - signal).sqrt() * eps
    guess, _ = fit_denoiser(samples)(x_t, signal.expand(len(x_t)))
    inputs = torch.cat([x_t, torch.ones(len(x_t), 1)], 1)
    fitted = inputs @ torch.linalg.lstsq(inputs, samples).solution
    assert (guess - samples).square().mean() < 1.02 * (fitted - samples).square().mean()


def test_directions_beyond_the_kept_ones_share_what_is_left_of_the_variance(monkeypatch):
    monkeypatch.setattr(gaussian_denoiser, "MOST_DIRECTIONS", 4)
    samples = draw(400)
    few = fit_denoiser(samples)
    assert few.basis.shape == (12, 4) and few.variances.min() > few.rest
    total = float(few.variances.sum()) + 8 * few.rest
    assert total == pytest.approx(float(samples.var(0).sum()), rel=0.05)


def test_variances_of_few_samples_are_those_that_others_have_along_their_directions():
    """The covariance of the samples has wide directions too wide and narrow ones too narrow, shrunk or not."""
    generator = torch.Generator().manual_seed(5)
    scale = torch.linspace(2, 0.2, 60)
    samples, others = (torch.randn(n, 60, generator=generator) * scale for n in (50, 2000))
    fitted, shrunk = fit_denoiser(samples), fit_shrunk(samples)
    true = (others @ fitted.basis).square().mean(0)
    naive = (shrunk.centred @ fitted.basis).square().mean(0)
    distance = [float((made / true).log().square().mean()) for made in (fitted.variances, naive)]
    assert distance[0] < 0.3 * distance[1]
    assert torch.equal(fitted.variances, fitted.variances.sort(descending=True).values)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_samples_are_fitted_and_a_single_one_is_not(count):
    fitted = fit_denoiser(draw(count))
    assert len(fitted.variances) == count - 1 and fitted.variances.isfinite().all() and fitted.rest > 0
    assert fit_denoiser(torch.ones(4, 12)).variances.numel() == 0
    with pytest.raises(ValueError, match="one sample has no covariance"):
        fit_denoiser(draw(1))


def test_pooled_values_fall_and_keep_their_sum():
    values = torch.tensor([5.0, 6.0, 3.0, 1.0, 2.0, 3.0, 0.5], dtype=torch.float64)
    expected = torch.tensor([5.5, 5.5, 3.0, 2.0, 2.0, 2.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(sort_by_pooling(values), expected)


def test_its_size_is_counted():
    made = fit_denoiser(draw(400))
    assert 4 * sum(t.numel() for t in (made.mean, made.basis, made.variances)) == count_bytes(400, 12)


def test_scales_are_found_as_often_as_latents_have_them():
    small, samples = SCALES[4], draw(900) - 0.3
    factors = torch.where(torch.arange(900) % 3 == 0, small, 1.0)[:, None].sqrt()
    plain = fit_denoiser(samples)
    mixture = mix_scales(plain, samples * factors)
    near = abs(mixture.scales / small).log().abs() < 0.6
    assert float(mixture.weights.sum()) == pytest.approx(1)
    assert float(mixture.weights[near].sum()) == pytest.approx(1 / 3, abs=0.06)
    alpha_bar = torch.full((900,), 0.5)
    eps = torch.randn(samples.shape, generator=torch.Generator().manual_seed(3))
    x_0 = factors * samples
    x_t = alpha_bar[:, None].sqrt() * (x_0 + eps)
    mixed, alone = ((made(x_t, alpha_bar)[0] - x_0).square().mean() for made in (mixture, plain))
    assert mixed < 0.97 * alone


def test_of_normal_latents_the_scale_is_one():
    samples = draw(900)
    mixture = mix_scales(fit_denoiser(samples), samples)
    assert float((mixture.weights * mixture.scales).sum()) == pytest.approx(1, abs=0.15)
    assert float(mixture.weights[(mixture.scales > 0.5) & (mixture.scales < 2)].sum()) > 0.9


def test_draws_have_the_mean_the_covariance_and_the_scales_of_the_distribution():
    gaussian = fit_denoiser(draw(6))
    drawn = draw_samples(gaussian, 100_000, torch.Generator().manual_seed(3))
    covariance = (gaussian.basis * gaussian.variances) @ gaussian.basis.T
    covariance += gaussian.rest * (torch.eye(12) - gaussian.basis @ gaussian.basis.T)
    torch.testing.assert_close(drawn.mean(0), gaussian.mean, atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.T.cov(correction=0), covariance, atol=0.15, rtol=0.02)
    mixture = replace(gaussian, scales=torch.tensor([0.25, 4.0]), weights=torch.tensor([0.75, 0.25]))
    mixed = draw_samples(mixture, 100_000, torch.Generator().manual_seed(3))
    torch.testing.assert_close(mixed.T.cov(correction=0), covariance * (0.75 * 0.25 + 0.25 * 4), atol=0.5, rtol=0.03)
    kurtosis = ((mixed - mixture.mean) @ gaussian.basis[:, 0]).pow(4).mean() / gaussian.variances[0] ** 2
    assert float(kurtosis) == pytest.approx(3 * (0.75 * 0.25**2 + 0.25 * 4**2), rel=0.05)
