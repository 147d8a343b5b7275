"""Networks of stage 1 and where they start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.training_fits import fit_training_side
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.networks import build, find_endmembers, fit_pixel_baselines, normalised_ridge, start_from
from rsforge.settings.hsi import SpectralNetworkSettings


def options(**given):
    return SpectralNetworkSettings(**given)


@pytest.fixture(scope="module")
def fits(scenes):
    return fit_training_side(list_patches(find_patch_files(scenes)), seed=0)


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("given", "parameters"),
    [
        ({}, 4_059_253),
        ({"size": "large"}, 7_044_529),
        ({"model": "spectral_unmixing"}, 32_624),
        ({"model": "spectral_transformer"}, 1_633_644),
    ],
)
def test_the_presets_have_the_sizes_of_the_document(given, parameters):
    with torch.device("meta"):
        assert count(build(options(**given), in_channels=7, bands=340)) == parameters


def test_options_go_to_the_network_and_what_does_not_fit_is_refused():
    made = build(options(hidden_width=6, blocks=2, features=3, taps=5), in_channels=3, bands=9)
    assert made.architecture["hidden"] == 6 and made.architecture["blocks"] == 2 and made.architecture["taps"] == 5
    recomputed = build(options(gradient_checkpointing=True, hidden_width=6), in_channels=3, bands=9)
    assert recomputed.blocks[0].checkpointing and not made.blocks[0].checkpointing
    with pytest.raises(RsforgeError) as caught:
        build(options(taps=4), in_channels=3, bands=9)
    assert caught.value.code == "RSF-U005"


def test_a_network_starts_as_the_ridge_solution_in_the_units_of_the_files(fits):
    network = build(options(hidden_width=6, blocks=1), in_channels=3, bands=12).eval()
    start_from(network, fits, options(), seed=0, world=SingleProcess())
    seen = fits.seen[:50]
    x = torch.from_numpy(fits.landsat.normalise(seen).T[None, :, :, None].copy())
    predicted = fits.spectra.denormalise(network(x)[0, :, :, 0].T.detach().numpy())
    np.testing.assert_allclose(predicted, fits.ridge.predict(seen), rtol=1e-3, atol=1e-3)


def test_outputs_are_held_where_the_data_are(fits):
    network = build(options(hidden_width=6, blocks=1), in_channels=3, bands=12).eval()
    start_from(network, fits, options(), seed=0, world=SingleProcess())
    far = fits.spectra.denormalise(network(torch.full((1, 3, 1, 1), 99.0))[0, :, 0].T.numpy(force=True))[0]
    near = fits.spectra.denormalise(network(torch.full((1, 3, 1, 1), -99.0))[0, :, 0].T.numpy(force=True))[0]
    low, high = fits.pixels.min(0), fits.pixels.max(0)
    for edge in (far, near):
        assert (edge >= np.minimum(low, 0) - 1e-3).all() and (edge <= high + 0.51 * (high - low)).all()


def test_a_unit_of_the_residual_is_the_error_of_ridge(fits):
    network = build(options(hidden_width=6, blocks=1), in_channels=3, bands=12)
    start_from(network, fits, options(), seed=0, world=SingleProcess())
    gain, _ = fits.spectra.gain_and_offset()
    np.testing.assert_allclose(network.residual_scale.numpy(), fits.error * gain, rtol=1e-5)
    errors = fits.ridge.predict(fits.seen) - fits.pixels
    np.testing.assert_allclose(fits.error, np.sqrt((errors**2).mean(0)), rtol=0.1)
    assert normalised_ridge(fits).weight.shape == (12, 3)


@pytest.mark.parametrize("how", ["vca", "kmeans"])
def test_endmembers_are_spectra_of_the_data_with_what_landsat_sees(fits, how):
    spectra, seen = find_endmembers(fits, options(endmembers=3, endmember_init=how), seed=1)
    assert spectra.shape == (3, 12) and seen.shape == (3, 3)
    rows = [int(np.abs(fits.seen - one).sum(1).argmin()) for one in seen]
    apart = np.abs(fits.pixels[rows] - spectra).max()
    assert apart == 0 if how == "vca" else 0 < apart < 1


def test_baselines_are_the_mean_spectrum_and_centres_whatever_the_network_starts_from(fits):
    found = fit_pixel_baselines(fits, options(endmembers=5, endmember_init="vca"), seed=0)
    np.testing.assert_allclose(found["mean_spectrum"].numpy(), fits.mean, rtol=1e-6)
    centres, seen = find_endmembers(fits, options(endmembers=5, endmember_init="kmeans"), seed=0)
    assert torch.equal(found["endmembers"], torch.from_numpy(centres)) and found["seen"].shape == seen.shape == (5, 3)


def test_too_few_spectra_for_centres_are_said(fits):
    few = replace(fits, pixels=fits.pixels[:3], seen=fits.seen[:3])
    found = fit_pixel_baselines(few, options(endmembers=5), seed=0)
    assert set(found) == {"mean_spectrum", "absent"}
    assert found["absent"] == "too few pixels for 5 clusters, found 3 different spectra"
