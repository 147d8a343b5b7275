"""The closed form where little is known; that of fitted latents is compared in the tests of metrics."""

from __future__ import annotations

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
