"""The closed form whose mean is told by captions: better where they tell something, and guided by its mean."""

from __future__ import annotations

import torch

from rsforge.metrics.caption_gaussian import fit_captions
from rsforge.metrics.gaussian_denoiser import fit_denoiser
from tests.worlds.captioned_latents import draw_captions, draw_latents


def test_it_denoises_better_than_the_closed_form_that_reads_no_captions():
    captions, others = draw_captions(200, 1), draw_captions(100, 2)
    latents = draw_latents(captions, 0.5)
    x_0 = draw_latents(others, 0.5, seed=4)
    signal = torch.full((len(x_0),), 0.3)
    eps = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(5))
    x_t = signal[:, None].sqrt() * x_0 + (1 - signal[:, None]).sqrt() * eps
    fit = fit_captions(latents, captions)
    own = (fit.read(others.first)(x_t, signal)[0] - x_0).square().mean()
    assert own < 0.5 * (fit_denoiser(latents)(x_t, signal)[0] - x_0).square().mean()
    without = (fit.read(others.first.flip(0))(x_t, signal)[0] - x_0).square().mean()
    assert own < 0.5 * without  # captions of other images mislead it


def test_each_latent_has_the_mean_of_its_own_caption():
    captions = draw_captions(50, 1)
    fit = fit_captions(draw_latents(captions, 0.5), captions)
    noise = torch.zeros(2, 5)
    x_0, _ = fit.read(captions.first[:2])(noise, torch.zeros(2))  # nothing of the latent is left in it
    torch.testing.assert_close(x_0, fit.words.predict(captions.first[:2]) + fit.remainder.mean)
    alone, _ = fit.read(captions.first[1:2])(noise[1:], torch.zeros(1))
    torch.testing.assert_close(alone, x_0[1:])
