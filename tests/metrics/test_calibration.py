"""Spread of draws beside the error of their mean, by numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rsforge.metrics.calibration import error_of_mean, rank_correlations, spread_of, spread_to_error


def test_spread_is_the_deviation_between_draws_and_error_that_of_their_mean():
    draws = torch.tensor([[1.0, 3.0], [5.0, 3.0]]).view(1, 2, 1, 1, 2)  # two draws of two pixels
    truth = torch.tensor([2.0, 3.5]).view(1, 1, 1, 2)
    torch.testing.assert_close(spread_of(draws), torch.tensor([[[8**0.5, 0.0]]]))
    torch.testing.assert_close(error_of_mean(draws, truth), torch.tensor([[[1.0, 0.5]]]))


def test_colours_are_averaged():
    draws = torch.tensor([[0.0, 4.0], [2.0, 4.0]]).view(1, 2, 2, 1, 1)  # two draws of two colours
    torch.testing.assert_close(spread_of(draws), torch.full((1, 1, 1), 2**0.5 / 2))
    torch.testing.assert_close(error_of_mean(draws, torch.zeros(1, 2, 1, 1)), torch.full((1, 1, 1), 2.5))


def test_the_correlation_is_that_of_ranks_in_each_image():
    error = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 2, 2)
    spread = torch.tensor([[0.1, 0.2, 0.3, 0.9], [0.9, 0.3, 0.2, 0.1], [0.2, 0.2, 0.5, 0.1]]).view(3, 2, 2)
    # The third by hand: ranks 2.5 2.5 4 1 beside 1 2 3 4, products of deviations -1.5, squares 4.5 and 5.
    by_hand = [1, -1, -1.5 / 22.5**0.5]
    assert rank_correlations(spread, error.expand(3, 2, 2)) == pytest.approx(by_hand)


def test_a_constant_has_no_ranks():
    error = torch.arange(4.0).view(1, 2, 2)
    assert np.isnan(rank_correlations(torch.ones(1, 2, 2), error)).all()
    assert np.isnan(rank_correlations(error, torch.ones(1, 2, 2))).all()


def test_draws_and_truths_of_one_distribution_have_a_ratio_of_one():
    noise = torch.randn(4, 6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    variance, error = spread_to_error(noise[:, 1:], noise[:, 0]).mean(0)
    assert float(variance / error) == pytest.approx(1, abs=0.02)
    half, same = spread_to_error(0.5 * noise[:, 1:], noise[:, 0]).mean(0)
    assert float(half / same) < 0.4
