"""A checkpoint alone is a network with its wavelengths and units."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.training_fits import fit_training_side
from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.load import load_spatial, load_spectral
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM

CPU = torch.device("cpu")


def test_the_checkpoint_alone_rebuilds_the_network(spectral_run, scenes, tmp_path):
    path = tmp_path / "moved.pth"
    path.write_bytes((spectral_run / "best_model.pth").read_bytes())
    model = load_spectral(path, CPU)
    assert np.array_equal(model.wavelength_nm, WAVELENGTH_NM) and model.fwhm_nm is None
    spectra = model.network(torch.rand(1, 3, 6, 5))
    assert spectra.shape == (1, BANDS, 6, 5) and not model.network.training
    state = checkpoint.load(path)
    assert all(torch.equal(value, state["nets"]["network"][name]) for name, value in model.network.state_dict().items())


def test_the_fits_are_those_of_the_training_side(spectral_run, scenes):
    """The document's training measured its predictions by percentiles of the images that it was to predict."""
    model = load_spectral(spectral_run / "best_model.pth", CPU)
    files = find_patch_files(scenes)
    sides = [[ref for ref in list_patches(files) if ref.file.name != held_out.name] for held_out in files]
    fits = [fit_training_side(side, seed=42) for side in sides]
    matching = [one for one in fits if one.spectra == model.spectra and one.landsat == model.landsat]
    assert len(matching) == 1
    ridge = model.ridge.rescale(model.landsat, model.spectra)
    np.testing.assert_allclose(model.network.ridge_weight.numpy(), ridge.weight, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "vae"}, "RSF-C004"),
        ({"wavelength_nm": [1.0, 2.0]}, "RSF-C003"),
        ({"normalisation": {"landsat": {}}}, "RSF-C003"),
        ({"normalisation": {"landsat": {}, "spectra": {}}}, "RSF-D006"),
        ({"ridge": {"weight": [1.0]}}, "RSF-D006"),
    ],
)
def test_another_or_damaged_checkpoint_is_refused(spectral_run, tmp_path, change, code):
    state = checkpoint.load(spectral_run / "best_model.pth")
    state.pop("digests", None)
    checkpoint.save(tmp_path / "x.pth", state | change)
    with pytest.raises(RsforgeError) as caught:
        load_spectral(tmp_path / "x.pth", CPU)
    assert caught.value.code == code


def test_the_checkpoint_of_stage_2_alone_rebuilds_the_network(spatial_run, stage1, tmp_path):
    path = tmp_path / "moved.pth"
    path.write_bytes((spatial_run / "best_model.pth").read_bytes())
    model, first = load_spatial(path, CPU), load_spectral(stage1, CPU)
    assert model.scale == Fraction(15, 2) and model.spectra == first.spectra
    assert np.array_equal(model.wavelength_nm, WAVELENGTH_NM) and model.fwhm_nm is None
    assert model.network(torch.rand(1, BANDS, 4, 6)).shape == (1, BANDS, 30, 45) and not model.network.training
    assert model.loaded.state["partners"]["stage1"]["digest"] == first.loaded.digest


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "hsi-spectral"}, "RSF-C004"),
        ({"scale": "4"}, "RSF-C003"),
        ({"scale": "1/0"}, "RSF-C003"),
        ({"scale": "wide"}, "RSF-C003"),
        ({"fwhm_nm": [1.0]}, "RSF-C003"),
        ({"normalisation": {}}, "RSF-C003"),
        ({"normalisation": {"spectra": {"low": [1.0]}}}, "RSF-D006"),
    ],
)
def test_another_or_damaged_checkpoint_of_stage_2_is_refused(spatial_run, tmp_path, change, code):
    state = checkpoint.load(spatial_run / "best_model.pth")
    state.pop("digests", None)
    checkpoint.save(tmp_path / "x.pth", state | change)
    with pytest.raises(RsforgeError) as caught:
        load_spatial(tmp_path / "x.pth", CPU)
    assert caught.value.code == code
