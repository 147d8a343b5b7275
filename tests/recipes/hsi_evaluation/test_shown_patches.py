"""Pictures, curves and errors that a report shows."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.metrics.spectral import sam_deg
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.hsi.prediction import Stages
from rsforge.recipes.hsi_evaluation.shown_patches import (
    BandAxis,
    ShownPatch,
    chart_band_errors,
    chart_spectra,
    choose_examples,
    view_patch,
)
from rsforge.recipes.hsi_evaluation.stages import build_stages
from tests.worlds.spectral_evaluation import GAP_NM
from tests.worlds.spectral_patches import BANDS


@pytest.fixture
def patch(flights):
    return list_patches(find_patch_files(flights))[0]


@pytest.fixture
def shown(spectral, patch):
    stage = build_stages(Stages(spectral))[0]
    return ShownPatch.predict(stage, stage.prepare(PatchReader().read(patch)))


def without_wavelengths(file):
    return replace(file, spectrum=file.spectrum._replace(wavelength_nm=None))


def test_curves_stand_over_wavelengths_with_a_gap_at_removed_bands(patch):
    line = BandAxis(patch.file).line("truth", "truth", np.arange(BANDS))
    assert [len(run) for run in line.runs] == [7, 5] and line.runs[1][0] == (1500, 7)
    assert BandAxis(patch.file).label == "wavelength (nm)"
    bare = BandAxis(without_wavelengths(patch.file))
    assert bare.label == "band" and bare.line("", "", np.zeros(BANDS)).runs[0][:2] == [(1, 0), (2, 0)]


def test_angles_are_those_of_the_model(shown):
    angles = shown.angles()
    assert np.isnan(angles[:4, :4]).all() and np.isfinite(angles[4:]).all()
    y, truth = shown.predictions[MODEL][:, 7, 9], shown.case.truth[:, 7, 9]
    assert angles[7, 9] == pytest.approx(float(sam_deg(y[None, :, None, None], truth[None, :, None, None])), rel=1e-6)


def test_pictures_have_the_bands_and_the_stretch_of_the_truth(shown, patch):
    view = view_patch(shown, "the best", patch.file)
    pictures = {one.title: np.asarray(Image.open(io.BytesIO(one.png))) for one in view.composites}
    assert list(pictures)[:4] == ["Landsat", "truth", "prediction", "ridge"] and len(pictures) == 5
    assert all(one.shape == (30, 30, 3) and (one[:4, :4] == 0).all() for one in pictures.values())
    rgb = [int(np.abs(GAP_NM - nm).argmin()) for nm in (650, 550, 470)]
    valid = shown.case.valid.numpy()
    low, high = np.percentile(shown.case.truth[rgb].numpy()[:, valid], (2, 98), axis=1)
    for name, image in (("truth", shown.case.truth), ("ridge", shown.predictions["ridge"])):
        unit = (image[rgb].numpy()[:, 20, 20] - low) / (high - low)
        np.testing.assert_allclose(pictures[name][20, 20], np.clip(unit, 0, 1) * 255, atol=1)
    red = shown.case.landsat[2].numpy()
    assert np.corrcoef(pictures["Landsat"][..., 0][valid], red[valid])[0, 1] > 0.95


def test_three_pixels_are_shown_from_good_to_bad(shown, patch):
    charts = chart_spectra(shown, patch.name, patch.file)
    angles = [float(chart.title.rpartition(", ")[2].rstrip("°")) for chart in charts]
    assert len(charts) == 3 and angles == sorted(angles) and angles[0] < angles[2]
    assert [line.name for line in charts[0].lines] == ["truth", "prediction", "ridge"]
    words = charts[1].title.replace(",", "").split()
    row, col = int(words[words.index("row") + 1]), int(words[words.index("column") + 1])
    values = [y for run in charts[1].lines[0].runs for _, y in run]
    np.testing.assert_allclose(values, shown.case.truth[:, row, col].numpy(), rtol=1e-6)


def test_a_patch_of_holes_has_no_curves(shown, patch):
    nothing = replace(shown, case=replace(shown.case, valid=torch.zeros(30, 30, dtype=torch.bool)))
    assert chart_spectra(nothing, patch.name, patch.file) == []
    assert len(view_patch(nothing, "", patch.file).composites) == 5


def test_errors_by_band_leave_the_mean_spectrum_out(patch):
    errors = dict.fromkeys(("model", "ridge", "mean_spectrum", "nearest_endmember"), [1.0] * 11 + [None])
    chart = chart_band_errors({"rmse_per_band": errors}, patch.file)
    assert [line.name for line in chart.lines] == ["prediction", "ridge", "nearest endmember"]
    assert np.isnan(chart.lines[0].runs[1][-1][1]) and chart.y_label == "radiance"


def test_examples_are_the_best_the_median_and_the_worst():
    assert choose_examples(np.array([3.0, 1, 2])) == {"best": 1, "median": 2, "worst": 0}
