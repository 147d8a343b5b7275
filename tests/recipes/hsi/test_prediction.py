"""Spectra are predicted in the units of the files, by what the checkpoint stores and not by what the input holds."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError
from rsforge.models.spectral.spatial_sr import LightweightSR
from rsforge.recipes.hsi.load import SpatialModel, load_spectral
from rsforge.recipes.hsi.prediction import predict_detail, predict_spectra
from rsforge.recipes.inference.checkpoints import LoadedModel
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, WEIGHTS, draw_spectra

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(spectral_run):
    return load_spectral(spectral_run / "best_model.pth", CPU)


def draw_landsat(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy((draw_spectra(height, width, seed=9) @ WEIGHTS.T).astype(np.float32)).movedim(-1, 0)


def draw_detail(scale: str = "15/2", *, low: float = 1.0, high: float = 7.0) -> SpatialModel:
    torch.manual_seed(0)
    network = LightweightSR(bands=BANDS, scale=scale, width=4, layers=1).eval()
    torch.nn.init.normal_(network.leave.weight, std=0.05)
    loaded = LoadedModel(network, {"bands": BANDS}, "")
    return SpatialModel(network, loaded, Scaling((low,), (high,)), Fraction(scale), WAVELENGTH_NM, None)


def test_values_are_normalised_by_the_stored_ranges_on_both_sides(model):
    landsat = draw_landsat(9, 7)
    x = model.landsat.normalise(landsat.movedim(0, -1).numpy())
    unit = model.network(torch.from_numpy(x).movedim(-1, 0)[None])[0]
    expected = model.spectra.denormalise(unit.movedim(0, -1).numpy())
    spectra = predict_spectra(model, landsat)
    assert spectra.shape == (BANDS, 9, 7) and spectra.dtype == torch.float32
    np.testing.assert_allclose(spectra.movedim(0, -1).numpy(), expected, rtol=1e-5)


def test_a_pixel_does_not_depend_on_how_bright_the_rest_of_the_image_is(model):
    """Ranges of the image itself would change with it."""
    landsat = draw_landsat(40, 40)
    brighter = landsat.clone()
    brighter[:, 20:] *= 3
    np.testing.assert_array_equal(predict_spectra(model, brighter)[:, :15], predict_spectra(model, landsat)[:, :15])


def test_a_pixel_that_is_not_finite_is_nan_alone(model):
    landsat = draw_landsat(12, 12)
    landsat[1, 3, 4] = torch.nan
    landsat[0, 8, 8] = torch.inf
    spectra = predict_spectra(model, landsat)
    expected = torch.ones(12, 12, dtype=torch.bool)
    expected[3, 4] = expected[8, 8] = False
    assert torch.equal(spectra.isfinite().all(0), expected)
    assert torch.equal(spectra.isnan().any(0), ~expected)


def test_detail_has_the_exact_size_and_the_unit_of_the_spectra():
    model = draw_detail()
    spectra = torch.from_numpy(draw_spectra(34, 6)).movedim(-1, 0)
    fine = predict_detail(model, spectra)
    assert fine.shape == (BANDS, 255, 45)
    expected = model.network(((spectra - 1) / 6)[None])[0] * 6 + 1
    torch.testing.assert_close(fine, expected, rtol=1e-5, atol=1e-5)


def test_a_fine_pixel_on_a_missing_one_is_nan():
    spectra = torch.from_numpy(draw_spectra(4, 4)).movedim(-1, 0)
    spectra[5, 1, 1] = torch.nan
    holds = predict_detail(draw_detail(), spectra).isfinite().all(0)
    expected = torch.ones(30, 30, dtype=torch.bool)
    expected[7:15, 7:15] = False  # coarse pixel 1 covers 7.5 to 15
    assert torch.equal(holds, expected)


def test_a_missing_pixel_darkens_no_other():
    """Taken as zero it would pull its neighbours down, and corrections would carry that on."""
    model = draw_detail(low=0.0, high=1.0)
    model.network.leave.weight.data.zero_()
    model.network.corrections = 2
    spectra = torch.full((BANDS, 8, 8), 5.0)
    spectra[:, 3:5, :3] = torch.nan
    fine = predict_detail(model, spectra)
    torch.testing.assert_close(fine, torch.full_like(fine, 5.0).where(fine.isfinite(), torch.nan), equal_nan=True)


@pytest.mark.parametrize("shape", [(4, 5, 5), (5, 5)])
def test_another_number_of_bands_is_refused(model, shape):
    for predict, network in ((predict_spectra, model), (predict_detail, draw_detail())):
        with pytest.raises(RsforgeError) as caught:
            predict(network, torch.zeros(shape))
        assert caught.value.code == "RSF-D003"


def test_a_training_with_clipped_values_predicts_from_clipped_values(model):
    """Else the network sees inputs that it never saw."""
    landsat = draw_landsat(6, 6) * 100
    clipped = Scaling(model.landsat.low, model.landsat.high, clip=True)
    changed = type(model)(**{**vars(model), "landsat": clipped})
    at_most = torch.tensor(model.landsat.high, dtype=torch.float32).max()
    torch.testing.assert_close(
        predict_spectra(changed, landsat), predict_spectra(model, landsat.clamp(max=at_most)), rtol=1e-5, atol=1e-5
    )


def test_what_a_network_overflows_to_is_refused_in_both_stages(model):
    """NaN would be read as a pixel without data, and infinity clamped to the greatest value of the training."""
    network = copy.deepcopy(model.network)
    torch.nn.init.constant_(network.leave.bias, torch.inf)
    with pytest.raises(RsforgeError, match="not finite") as raised:
        predict_spectra(replace(model, network=network), draw_landsat(5, 5))
    assert raised.value.code == "RSF-T004"
    detail = draw_detail()
    torch.nn.init.constant_(detail.network.leave.weight, 3e38)
    with pytest.raises(RsforgeError, match="not finite"):
        predict_detail(detail, torch.from_numpy(draw_spectra(4, 4)).movedim(-1, 0))
