"""Predictors without training, within the range of the network they stand beside."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from rsforge.models.spectral.baselines import Bicubic, MeanSpectrum, NearestSpectrum, RidgeAlone
from rsforge.models.spectral.resize import resize
from rsforge.models.spectral.spatial_sr import LightweightSR
from rsforge.models.spectral.spectral_sr import SpectralSR


@pytest.fixture
def like():
    network = SpectralSR(bands=5, in_channels=3, hidden=4, blocks=1, features=2, taps=3).eval()
    network.set_range(torch.zeros(5), torch.full((5,), 0.9))
    return network


def test_ridge_is_what_an_untrained_network_predicts(like):
    torch.manual_seed(0)
    weight, bias, x = torch.randn(5, 3), torch.randn(5), torch.rand(2, 3, 6, 4)
    like.set_ridge(weight, bias)
    expected = (torch.einsum("bk,nkhw->nbhw", weight, x) + bias[:, None, None]).clamp(0, 0.9)
    torch.testing.assert_close(RidgeAlone(like, weight, bias)(x), expected)
    torch.testing.assert_close(RidgeAlone(like, weight, bias)(x), like(x))


def test_the_mean_spectrum_is_at_every_pixel(like):
    spectrum = torch.tensor([-1.0, 0.1, 0.2, 0.3, 2.0])
    y = MeanSpectrum(like, spectrum)(torch.rand(2, 3, 4, 6))
    assert y.shape == (2, 5, 4, 6) and torch.equal(y[1, :, 3, 5], torch.tensor([0.0, 0.1, 0.2, 0.3, 0.9]))


def test_the_nearest_spectrum_is_chosen_by_what_is_seen_of_it(like):
    spectra, seen = torch.rand(4, 5) * 0.9, torch.rand(4, 3)
    x = torch.rand(2, 3, 5, 6)
    y = NearestSpectrum(like, spectra, seen)(x)
    for n, row, col in ((0, 0, 0), (1, 4, 5), (1, 2, 3)):
        nearest = (seen - x[n, :, row, col]).square().sum(1).argmin()
        assert torch.equal(y[n, :, row, col], spectra[nearest])


def test_bicubic_is_the_resampling_that_networks_start_from():
    network = LightweightSR(bands=5, scale="15/2", width=4, layers=1).eval()
    network.set_range(torch.zeros(5), torch.ones(5))
    x = torch.rand(1, 5, 4, 6)
    baseline = Bicubic(network, "15/2")
    assert torch.equal(baseline(x), resize(x, Fraction(15, 2)).clamp(0, 1))
    torch.testing.assert_close(baseline(x), network(x))
    assert baseline.tile_step == 2 and baseline.receptive_field == 11


@pytest.mark.parametrize("corrections", [0, 2])
def test_corrected_bicubic_is_an_untrained_network(corrections):
    network = LightweightSR(bands=5, scale="15/2", width=4, layers=1, corrections=corrections).eval()
    network.set_range(torch.full((5,), 0.1), torch.full((5,), 0.9))
    x, valid = torch.rand(1, 5, 8, 6), torch.ones(1, 1, 8, 6)
    valid[..., 2, 3] = 0
    baseline = Bicubic(network, "15/2", corrections)
    assert torch.equal(baseline(x, valid), network(x, valid))
    assert baseline.receptive_field == 11 + 6 * corrections <= network.receptive_field
