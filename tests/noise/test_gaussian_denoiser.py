"""The closed form where little is known; that of fitted latents is compared in the tests of metrics."""

from __future__ import annotations

import pytest
import torch

from rsforge.noise.gaussian_denoiser import GaussianDenoiser, denoise_standard

SHAPE = (2, 3, 2)


def test_where_nothing_is_known_the_noisy_latent_is_shrunk():
    x_t, alpha_bar = torch.randn(3, *SHAPE), torch.tensor([0.9, 0.5, 0.2])
    x_0, eps = denoise_standard(x_t, alpha_bar)
    torch.testing.assert_close(x_0, alpha_bar.view(3, 1, 1, 1).sqrt() * x_t)
    torch.testing.assert_close(eps, (1 - alpha_bar).view(3, 1, 1, 1).sqrt() * x_t)


def test_without_directions_it_is_that_of_independent_numbers():
    x_t, alpha_bar = torch.randn(3, *SHAPE), torch.tensor([0.9, 0.5, 0.2])
    nothing = GaussianDenoiser(torch.zeros(12), torch.zeros(12, 0), torch.zeros(0), torch.tensor(1.0))
    for made, expected in zip(nothing(x_t, alpha_bar), denoise_standard(x_t, alpha_bar), strict=True):
        torch.testing.assert_close(made, expected)


@pytest.mark.parametrize("directions", [12, 4])
def test_several_scales_are_weighed_by_what_the_noisy_latent_tells_of_them(directions):
    """Beside Bayes' rule with full matrices."""
    basis = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(1)))[0][:, :directions]
    variances, rest, mean = torch.linspace(0.5, 2, directions), torch.tensor(0.3), torch.full((12,), 0.2)
    scales, weights = torch.tensor([0.1, 1.0, 6.0]), torch.tensor([0.5, 0.3, 0.2])
    mixture = GaussianDenoiser(mean, basis, variances, rest, scales, weights)
    covariance = (basis * variances) @ basis.T + rest * (torch.eye(12) - basis @ basis.T)
    x_t, alpha_bar = torch.randn(4, *SHAPE), torch.tensor([0.99, 0.7, 0.3, 0.0])
    x_0, eps = mixture(x_t, alpha_bar)
    for k, signal in enumerate(alpha_bar):
        y, likely, answers = x_t[k].flatten() - signal.sqrt() * mean, [], []
        for scale, weight in zip(scales, weights, strict=True):
            whole = signal * scale * covariance + (1 - signal) * torch.eye(12)
            normal = torch.distributions.MultivariateNormal(signal.sqrt() * mean, whole)
            likely.append(weight * normal.log_prob(x_t[k].flatten()).exp())
            solved = torch.linalg.solve(whole, y)
            answers.append((mean + signal.sqrt() * scale * covariance @ solved, (1 - signal).sqrt() * solved))
        chances = torch.stack(likely) / torch.stack(likely).sum()
        for made, guesses in zip((x_0[k], eps[k]), zip(*answers, strict=True), strict=True):
            expected = (chances[:, None] * torch.stack(guesses)).sum(0)
            torch.testing.assert_close(made.flatten(), expected, atol=1e-4, rtol=1e-4)


def test_a_scale_of_no_probability_counts_for_nothing():
    x_t, alpha_bar, one = torch.randn(3, *SHAPE), torch.tensor([0.9, 0.5, 0.0]), torch.tensor([1.0])
    parts = (torch.zeros(12), torch.eye(12)[:, :3], torch.tensor([2.0, 1.0, 0.5]), 0.4)
    both = GaussianDenoiser(*parts, torch.tensor([1.0, 100.0]), torch.tensor([1.0, 0.0]))
    for made, expected in zip(both(x_t, alpha_bar), GaussianDenoiser(*parts, one, one)(x_t, alpha_bar), strict=True):
        torch.testing.assert_close(made, expected)
