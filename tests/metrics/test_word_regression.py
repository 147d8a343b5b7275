"""Ridge regression of latents on words, beside the formula and beside what only chance connects."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.metrics import word_regression
from rsforge.metrics.caption_words import gather_captions, mark_words
from rsforge.metrics.word_regression import STRENGTHS, fit_words
from tests.worlds.captioned_latents import START, WORDS, draw_captions, draw_latents


def test_means_follow_words_and_what_is_left_is_the_noise():
    captions = draw_captions(200, 1)
    fit, left = fit_words(draw_latents(captions, 0.5), captions)
    assert fit.words.tolist() == list(range(1, WORDS + 1)) and math.isfinite(fit.strength)
    others = draw_captions(100, 2)
    error = (fit.predict(others.first) - draw_latents(others, 0.0)).square().mean()
    assert error < 0.02 and float(left.std()) == pytest.approx(0.5, rel=0.1)
    unknown = torch.full((1, 4), START)
    torch.testing.assert_close(fit.predict(unknown)[0], fit.mean)


def test_the_fit_is_ridge_regression_in_which_every_image_counts_once(monkeypatch):
    monkeypatch.setattr(word_regression, "STRENGTHS", (3.0,))
    captions = draw_captions(40, 1)
    latents = draw_latents(captions, 0.5)
    fit, _ = fit_words(latents, captions)
    bags = mark_words(captions.first, fit.words)  # the captions of an image are alike here
    x, z = (bags - bags.mean(0)).double(), (latents - latents.mean(0)).double()
    expected = torch.linalg.solve(x.T @ x + 3 * torch.eye(WORDS), x.T @ z).float()
    torch.testing.assert_close(fit.weight, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(fit.rates, bags.mean(0))


def test_captions_that_tell_nothing_get_no_weight():
    captions = draw_captions(60, 1)
    latents = torch.randn(60, 400, generator=torch.Generator().manual_seed(5))
    fit, left = fit_words(latents, captions)
    assert fit.strength > 100 and fit.weight.square().mean() < 1e-3
    assert float(left.square().mean()) == pytest.approx(1.0, abs=0.1)


def test_the_strength_has_the_least_error_of_all_on_the_folds(monkeypatch):
    captions = draw_captions(24, 1)
    latents = draw_latents(captions, 3.0)
    chosen, left = fit_words(latents, captions)
    for strength in STRENGTHS:
        monkeypatch.setattr(word_regression, "STRENGTHS", (strength,))
        assert left.square().sum() <= fit_words(latents, captions)[1].square().sum() * (1 + 1e-5)
    assert chosen.strength in STRENGTHS


def test_captions_without_common_words_leave_the_mean_and_one_image_is_refused():
    captions = gather_captions([torch.tensor([[0, k + 1, 9]]) for k in range(3)])
    latents = torch.arange(6.0).view(3, 2)
    fit, left = fit_words(latents, captions)
    torch.testing.assert_close(fit.predict(captions.first), latents.mean(0).expand(3, 2))
    torch.testing.assert_close(left[0], latents[0] - latents[1:].mean(0))
    with pytest.raises(ValueError, match="one image"):
        fit_words(latents[:1], captions.select(torch.tensor([True, False, False])))
