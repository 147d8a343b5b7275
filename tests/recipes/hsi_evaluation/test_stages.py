"""What each stage is given, and what stands beside it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PairedPixels, PatchReader
from rsforge.models.spectral.resize import resize
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.hsi.prediction import Stages, predict_detail, predict_spectra
from rsforge.recipes.hsi_evaluation.stages import build_stages, list_pixel_baselines, prepare_coarse, prepare_same
from tests.worlds.spectral_patches import BANDS

SCALE = Fraction(15, 2)


@pytest.fixture
def pixels(flights) -> PairedPixels:
    return PatchReader().read(list_patches(find_patch_files(flights))[0])


def draw_ramp(side: int) -> PairedPixels:
    """Values that rise linearly with row and column, so that a shift would show."""
    rows, cols = np.mgrid[:side, :side] + 0.5
    spectra = np.stack([2 * rows + cols + k for k in range(BANDS)], axis=-1).astype(np.float32)
    return PairedPixels(spectra[..., :3].copy(), spectra, np.ones((side, side), bool))


def test_ridge_is_the_stored_one_applied_by_numpy(spectral, pixels):
    """Held in the range of the training values, as the network is."""
    case = prepare_same(pixels)
    found = build_stages(Stages(spectral))[0].predictors["ridge"](case.given)
    lowest, highest = (
        spectral.spectra.denormalise(values.numpy()) for values in (spectral.network.lowest, spectral.network.highest)
    )
    expected = np.clip(pixels.landsat @ spectral.ridge.weight.T + spectral.ridge.bias, lowest, highest)
    valid = case.valid.numpy()
    assert not valid.all() and found[:, ~case.valid].isnan().all()
    np.testing.assert_allclose(found.numpy()[:, valid], expected[valid].T, rtol=1e-4, atol=1e-4)


def test_the_mean_spectrum_and_the_nearest_endmember_are_stored(spectral, flights, pixels):
    networks, meanings, absent = list_pixel_baselines(spectral)
    assert list(networks) == list(meanings) == ["ridge", "mean_spectrum", "nearest_endmember"] and not absent
    refs = [ref for ref in list_patches(find_patch_files(flights)) if ref.file.name != held_out_file(flights, spectral)]
    read = [PatchReader().read(ref) for ref in refs]
    spectra = np.concatenate([one.spectra[one.valid] for one in read]).astype(float)
    stage = build_stages(Stages(spectral))[0]
    found = stage.predictors["mean_spectrum"](prepare_same(pixels).given)
    np.testing.assert_allclose(found[:, 9, 9].numpy(), spectra.mean(0), rtol=1e-4)
    nearest = stage.predictors["nearest_endmember"](prepare_same(pixels).given)[:, 9, 9]
    seen, centres = (spectral.loaded.state["baselines"][name].numpy() for name in ("seen", "endmembers"))
    gain, _ = spectral.landsat.gain_and_offset()
    chosen = (((seen - pixels.landsat[9, 9]) * gain) ** 2).sum(1).argmin()
    np.testing.assert_allclose(nearest.numpy(), centres[chosen], rtol=1e-3, atol=1e-3)


def held_out_file(flights, spectral) -> str:
    """The scene that is not in the sums of the stored regression: its mean is another."""
    files = {file.name: [PatchReader().read(ref) for ref in list_patches([file])] for file in find_patch_files(flights)}
    stored = spectral.loaded.state["baselines"]["mean_spectrum"].numpy()

    def distance(name: str) -> float:
        others = [one for other, read in files.items() if other != name for one in read]
        return float(np.abs(np.concatenate([one.spectra[one.valid] for one in others]).mean(0) - stored).max())

    return min(files, key=distance)


def test_a_checkpoint_of_before_has_ridge_alone(spectral):
    state = {name: value for name, value in spectral.loaded.state.items() if name != "baselines"}
    older = replace(spectral, loaded=replace(spectral.loaded, state=state))
    networks, _, absent = list_pixel_baselines(older)
    assert list(networks) == ["ridge"] and set(absent) == {"mean_spectrum", "nearest_endmember"}
    state["baselines"] = {"mean_spectrum": torch.zeros(BANDS), "absent": "too few pixels"}
    assert list_pixel_baselines(older)[2] == {"nearest_endmember": "too few pixels"}


@pytest.mark.parametrize(("side", "low", "high"), [(256, 34, 255), (30, 4, 30)])
def test_coarse_pixels_begin_where_the_truth_does(side, low, high):
    """34 coarse pixels are 255 fine ones of 256: the truth is cut, never resized, and nothing is shifted."""
    pixels = draw_ramp(side)
    case = prepare_coarse(pixels, scale=SCALE, of_landsat=False)
    assert case.given.shape == (BANDS, low, low) and case.truth.shape == (BANDS, high, high)
    np.testing.assert_array_equal(
        case.truth[0].numpy(), pixels.spectra[:high, :high, 0]
    )  # where the Landsat grid begins
    enlarged = resize(case.given[None], SCALE)[0]
    inside = slice(20, high - 20) if side > 30 else slice(12, 18)
    # A coarse edge within a pixel moves means by up to 0.05; a shift by half a pixel would move values by up to 1.5.
    torch.testing.assert_close(enlarged[:, inside, inside], case.truth[:, inside, inside], rtol=0, atol=0.06)
    assert torch.equal(prepare_coarse(draw_ramp(side), scale=SCALE, of_landsat=True).given, case.landsat)
    np.testing.assert_allclose(case.landsat.numpy(), case.given[:3].numpy(), rtol=1e-5)


def test_pixels_beside_a_hole_do_not_count(pixels):
    case = prepare_coarse(pixels, scale=Fraction(3), of_landsat=False)
    assert case.given[:, 0, 0].isnan().all() and not case.given[:, 5, 5].isnan().any()
    assert not case.valid[:6, :6].any() and case.valid[12:, 12:].all()
    assert torch.equal(prepare_same(pixels).valid, torch.from_numpy(pixels.valid))


def test_both_stages_follow_each_other(spectral, spatial, pixels):
    stages = build_stages(Stages(spectral, spatial))
    assert [one.name for one in stages] == ["stage1", "stage2", "end_to_end"]
    case = stages[2].prepare(pixels)
    expected = predict_detail(spatial, predict_spectra(spectral, case.given))
    found = stages[2].predictors[MODEL](case.given)
    assert torch.equal(found[:, case.valid], expected[:, case.valid]) and not found[:, case.valid].isnan().any()
    ridge = stages[0].predictors["ridge"](case.given)
    torch.testing.assert_close(
        stages[2].predictors["ridge_bicubic"](case.given), stages[1].predictors["bicubic"](ridge), equal_nan=True
    )
    assert torch.equal(
        stages[2].predictors["ridge_corrected_bicubic"](case.given)[:, case.valid],
        stages[1].predictors["corrected_bicubic"](ridge)[:, case.valid],
    )


def test_the_simplest_predictor_is_stage_2_before_its_training(spectral, spatial, pixels):
    """Bicubic resampling with the corrections of the network, at holes as well: only more than that was learnt."""
    fresh = deepcopy(spatial.network)
    fresh.leave.weight.data.zero_()
    fresh.leave.bias.data.zero_()
    stage = build_stages(Stages(spectral, replace(spatial, network=fresh)))[1]
    given = stage.prepare(pixels).given
    given[:, 2, 1] = torch.nan
    assert fresh.corrections == 2
    found = {name: predict(given) for name, predict in stage.predictors.items()}
    assert torch.equal(found["corrected_bicubic"].nan_to_num(), found[MODEL].nan_to_num())
    assert not torch.equal(found["bicubic"].nan_to_num(), found[MODEL].nan_to_num())
    fresh.corrections = 0
    assert set(build_stages(Stages(spectral, replace(spatial, network=fresh)))[1].predictors) == {MODEL, "bicubic"}
