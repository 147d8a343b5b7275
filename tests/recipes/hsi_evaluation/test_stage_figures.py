"""Figures of a stage over patches with holes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.metrics.paired_sums import Resampling
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.hsi_evaluation.stage_figures import (
    StageSums,
    find_response,
    list_missing_gains,
    patch_figures,
    sum_stages,
    summarize_stage,
)
from rsforge.recipes.hsi_evaluation.stages import build_stages
from tests.worlds.spectral_patches import BANDS, WEIGHTS

RESPONSE = torch.from_numpy(WEIGHTS)


@pytest.fixture
def patches(flights):
    return list_patches(find_patch_files(flights))[:4]


def summarize(stage, spectral, patches, *, response=RESPONSE, groups=()):
    sums = StageSums(stage, spectral.spectra, response)
    sum_stages([sums], patches, PatchReader().read, lambda: None)
    resampling = Resampling(groups, 300, 0.95, 0)
    return sums, summarize_stage(sums, resampling, unit="radiance", missing="" if response is not None else "why not")


def test_the_figures_of_ridge_are_those_of_numpy_over_all_valid_pixels(spectral, patches):
    stage = build_stages(Stages(spectral))[0]
    _, found = summarize(stage, spectral, patches)
    read = [PatchReader().read(patch) for patch in patches]
    lowest, highest = (
        spectral.spectra.denormalise(values.numpy()) for values in (spectral.network.lowest, spectral.network.highest)
    )
    x = np.concatenate([one.landsat[one.valid] for one in read]) @ spectral.ridge.weight.T + spectral.ridge.bias
    x, y = np.clip(x, lowest, highest), np.concatenate([one.spectra[one.valid] for one in read]).astype(float)
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    square = ((x - y) ** 2).mean(0)
    own = {name: row["mean"] for name, row in found["figures"]["ridge"].items()}
    assert found["pixels"] == len(y) == 4 * 900 - 16 * 4
    assert own["sam_deg"] == pytest.approx(np.degrees(np.arccos(cosine)).mean(), rel=1e-4)
    assert own["rmse"] == pytest.approx(np.sqrt(square.mean()), rel=1e-4)
    assert own["ergas"] == pytest.approx(100 * np.sqrt((square / y.mean(0) ** 2).mean()), rel=1e-4)
    np.testing.assert_allclose(found["rmse_per_band"]["ridge"], np.sqrt(square), rtol=1e-4)
    landsat = np.concatenate([one.landsat[one.valid] for one in read])
    assert own["response_rmse"] == pytest.approx(np.sqrt(((x @ WEIGHTS.T - landsat) ** 2).mean()), rel=1e-4)


def test_a_perfect_predictor_gets_no_degrees(spectral, patches):
    stage = build_stages(Stages(spectral))[0]
    truths = iter([stage.prepare(PatchReader().read(patch)).truth for patch in patches])
    perfect = replace(stage, predictors={**stage.predictors, MODEL: lambda given: next(truths)})
    _, found = summarize(perfect, spectral, patches, groups=list("abcd"))
    own = found["figures"][MODEL]
    assert own["sam_deg"]["mean"] == own["rmse"]["mean"] == own["mrae"]["mean"] == own["ergas"]["mean"] == 0
    assert own["psnr_db"]["mean"] is None and own["ssim"]["mean"] == pytest.approx(1, abs=1e-5)
    gain = found["gain"]["sam_deg"]
    best = min(found["figures"][name]["sam_deg"]["mean"] for name in stage.meanings)
    assert gain["mean"] == pytest.approx(best) and 0 < gain["low"] <= gain["mean"] <= gain["high"]
    assert found["gains"]["mean_spectrum"]["sam_deg"]["mean"] >= gain["mean"]
    assert own["response_rmse"]["mean"] == pytest.approx(found["response_rmse_of_truth"], rel=1e-5)


def test_a_network_that_gains_nothing_over_what_is_not_learnt_says_so(spectral, spatial, patches):
    stage = build_stages(Stages(spectral, spatial))[1]
    same = replace(stage, predictors={**stage.predictors, MODEL: stage.predictors["corrected_bicubic"]})
    _, found = summarize(same, spectral, patches)
    told = [note for note in found["notes"] if "gains nothing" in note]
    over = {name: found["gain"][name]["over"] for name in ("sam_deg", "rmse")}
    assert len(told) == 2 and all(
        best.replace("_", " ") in note for best, note in zip(over.values(), told, strict=True)
    )
    for value, low, high, told in (
        (1.0, 0.1, 2.0, None),
        (1.0, -0.1, 2.0, "gains nothing in rmse"),
        (-1.0, -2.0, -0.1, "is worse than ridge in rmse"),
        (-1.0, None, None, "gains nothing in rmse"),
        (None, None, None, None),
    ):
        notes = list_missing_gains({"rmse": {"mean": value, "low": low, "high": high, "over": "ridge"}})
        assert len(notes) == (told is not None) and (told is None or told in notes[0])


@pytest.mark.parametrize("place", [1, 2])
def test_fine_pixels_are_measured_at_the_scale_of_stage_2(spectral, spatial, patches, place):
    stage = build_stages(Stages(spectral, spatial))[place]
    truths = iter([stage.prepare(PatchReader().read(patch)).truth for patch in patches])
    perfect = replace(stage, predictors={**stage.predictors, MODEL: lambda given: next(truths)})
    _, found = summarize(perfect, spectral, patches)
    baseline = found["figures"][next(iter(stage.meanings))]
    assert found["figures"][MODEL]["sam_deg"]["mean"] == 0 < found["gain"]["sam_deg"]["mean"]
    assert found["gain"]["sam_deg"]["low"] is None and found["scale"] == "15/2" == str(Fraction(spatial.scale))
    assert baseline["ergas"]["mean"] < 100 * baseline["rmse"]["mean"] / 7.5  # relative to means above 1


def test_without_a_response_the_figure_is_absent(spectral, patches):
    _, found = summarize(build_stages(Stages(spectral))[0], spectral, patches, response=None)
    assert "response_rmse" not in found["figures"][MODEL] and found["absent"]["response_rmse"] == "why not"


def test_predictions_that_are_no_numbers_are_counted(spectral, patches):
    stage = build_stages(Stages(spectral))[0]
    torn = torch.full((BANDS, 30, 30), 3.0)
    torn[4, 10, 10] = torn[2, 0, 0] = torch.nan  # one of them in the hole
    sums, found = summarize(
        replace(stage, predictors={**stage.predictors, MODEL: lambda given: torn}), spectral, patches
    )
    assert sums.lost == 4 and found["figures"][MODEL]["sam_deg"]["mean"] is None
    assert found["gain"]["sam_deg"]["mean"] is None


def test_figures_of_patches_are_those_of_one(spectral, patches):
    stage = build_stages(Stages(spectral))[0]
    sums, _ = summarize(stage, spectral, patches)
    _, alone = summarize(stage, spectral, patches[2:3])
    assert patch_figures(sums)["sam_deg"][2] == pytest.approx(alone["figures"][MODEL]["sam_deg"]["mean"], rel=1e-5)


def test_why_a_response_is_not_known(patches):
    file = patches[0].file
    weights, reason = find_response(file)
    assert weights.shape == (3, BANDS) and reason == "" and torch.allclose(weights.sum(1), torch.ones(3).double())
    nothing = file.spectrum._replace(wavelength_nm=None)
    assert find_response(replace(file, spectrum=nothing)) == (None, "the files state no wavelengths")
    assert "do not name" in find_response(replace(file, sensor=""))[1]
    assert "own.csv is not known" in find_response(replace(file, sensor="own.csv"))[1]
    own = replace(file, sensor="own.csv", response=weights.numpy()[::-1].copy())
    assert torch.equal(find_response(own)[0], weights.flip(0))
    assert "are not those of landsat8" in find_response(replace(file, landsat_names=("pan",)))[1]
    short = file.spectrum._replace(wavelength_nm=np.linspace(420, 1000, BANDS))
    only = replace(file, spectrum=short, landsat_names=("red", "swir1"), landsat_bands=2)
    assert find_response(only) == (None, "the spectra do not cover swir1 of landsat8")
