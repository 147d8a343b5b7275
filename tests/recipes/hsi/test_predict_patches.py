"""Patches through both stages, as the trainings saw them."""

from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np
import pytest
import torch

from rsforge.data.cubes.patches import PREDICTED
from rsforge.data.cubes.resample import area_weights
from rsforge.data.spectra.patch_files import PatchRef, open_patch_file
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.errors import RsforgeError
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.hsi.first_stage import predict_coarse
from rsforge.recipes.hsi.load import load_spatial, load_spectral
from rsforge.recipes.hsi.predict_patches import check_patches, predict_patches, sample_patches
from rsforge.recipes.hsi.prediction import Stages, predict_coarse_to_fine
from tests.worlds.spectral_checkpoints import write_stage1, write_stage2
from tests.worlds.spectral_patches import BANDS, WEIGHTS, drop, edit, write_plain, write_scene

CPU = torch.device("cpu")
RESPONSE = torch.from_numpy(WEIGHTS).double()


def stages(folder, *, two=False, response=None, **entries) -> Stages:
    second = load_spatial(write_stage2(folder / "2.pth"), CPU) if two else None
    return Stages(load_spectral(write_stage1(folder / "1.pth", **entries), CPU), second, response)


def run(model, path, folder):
    with SilentConsole().progress("", 1) as meter:
        figures = predict_patches(
            model, open_patch_file(path, path.name, landsat_alone=True), folder / "out.h5", {"units": "u"}, meter
        )
    with h5py.File(folder / "out.h5") as file:
        return {name: data[()] for name, data in file.items()}, dict(file.attrs), figures


def test_stage_1_predicts_every_pixel_of_a_patch(tmp_path):
    model, path = stages(tmp_path), write_scene(tmp_path / "a/test_patches.h5", 2, hole=4)
    data, attributes, figures = run(model, path, tmp_path)
    assert data[PREDICTED].shape == (2, 30, 30, BANDS) and data[PREDICTED].dtype == np.float32
    patch = PatchReader().read(PatchRef(open_patch_file(path, "a"), 1))
    x = model.spectral.landsat.normalise(patch.landsat)
    x[~patch.valid] = 0
    unit = model.spectral.network(torch.from_numpy(x).movedim(-1, 0)[None])[0].movedim(0, -1).numpy()
    expected = model.spectral.spectra.denormalise(unit)
    np.testing.assert_allclose(data[PREDICTED][1][patch.valid], expected[patch.valid], rtol=1e-5)
    assert not data["valid"][:, :4, :4].any() and data["valid"].sum() == 2 * (900 - 16) == figures.valid
    assert not data[PREDICTED][:, :4, :4].any()
    assert data["scene"].astype(str).tolist() == ["a", "a"] and data["window"].tolist()[1] == [0, 30, 30, 30]
    assert attributes["n_patches"] == 2 and attributes["units"] == "u"


def test_stage_2_takes_what_its_training_took(tmp_path):
    model, path = stages(tmp_path, two=True), write_scene(tmp_path / "a/test_patches.h5", 1, size=34)
    data, _, figures = run(model, path, tmp_path)
    assert data[PREDICTED].shape == (1, 30, 30, BANDS) and data["window"].tolist() == [[0, 0, 30, 30]]
    ref = PatchRef(open_patch_file(path, "a"), 0)
    coarse = predict_coarse(model.spectral, ref, PatchReader(), Fraction(15, 2))
    fine = model.spatial.network(coarse[None])[0].movedim(0, -1).numpy()
    np.testing.assert_allclose(data[PREDICTED][0], model.spectral.spectra.denormalise(fine), rtol=1e-4, atol=1e-4)
    assert figures.valid == 16


def test_the_truth_beside_landsat_changes_no_prediction(tmp_path):
    """The document's inference took its percentiles from the file it predicted, true spectra included."""
    model = stages(tmp_path, two=True)
    found = []
    for factor in (1, 7):
        path = write_scene(tmp_path / "a/test_patches.h5", 2)
        with h5py.File(path, "r+") as file:
            file["aviris"][:] *= factor
        found.append(run(model, path, tmp_path)[0][PREDICTED])
    assert np.array_equal(*found)


@pytest.mark.parametrize("two", [False, True])
def test_places_without_spectra_are_predicted_alike(tmp_path, two):
    """No prediction takes ``aviris``: it may be missing, or hold no numbers."""
    model, found = stages(tmp_path, two=two), []
    for kind in ("whole", "not finite", "missing"):
        path = write_scene(tmp_path / "a/test_patches.h5", 2, hole=4)
        if kind == "not finite":
            edit(path, "aviris", (0, 9), np.nan)
        elif kind == "missing":
            drop(path, "aviris")
        file = open_patch_file(path, "a", landsat_alone=True)
        assert len(sample_patches(file).pixels) == 2 * (900 - 16)
        found.append(run(model, path, tmp_path))
    for data, _, figures in found[1:]:
        assert np.array_equal(data[PREDICTED], found[0][0][PREDICTED]) and figures.valid == found[0][2].valid
        assert data["window"].tolist() == [[0, 0, 30, 30], [0, 30, 30, 30]]
    with pytest.raises(RsforgeError, match="it holds no aviris"):
        open_patch_file(path, "a")


def test_patches_are_predicted_as_a_scene_of_the_pixels_of_landsat(tmp_path):
    model, path = stages(tmp_path, two=True, response=RESPONSE), write_scene(tmp_path / "a/test_patches.h5", 1)
    with h5py.File(path) as file:
        native = torch.from_numpy(file["landsat_native"][0]).movedim(-1, 0)
    expected, _ = predict_coarse_to_fine(model, native)
    data, _, _ = run(model, path, tmp_path)
    np.testing.assert_array_equal(data[PREDICTED][0], expected.movedim(0, -1).numpy())


def test_a_pixel_of_landsat_that_is_mostly_a_gap_is_one(tmp_path):
    path = write_scene(tmp_path / "a/test_patches.h5", 1)
    edit(path, "valid", (0, slice(0, 15), slice(0, 20)), 0)  # the third pixel of 7.5 is valid for a third
    data, _, figures = run(stages(tmp_path, two=True), path, tmp_path)
    expected = np.ones((30, 30), bool)
    expected[:15, :23] = False
    assert np.array_equal(data["valid"][0] == 1, expected) and figures.valid == 16 - 6
    assert not data[PREDICTED][0][~expected].any()


def test_projections_give_the_patch_that_went_in(tmp_path):
    path = write_scene(tmp_path / "a/test_patches.h5", 1)
    pixels = PatchReader().read(PatchRef(open_patch_file(path, "a"), 0))
    landsat, native = pixels.landsat, pixels.native
    one, _, figures = run(stages(tmp_path, response=RESPONSE), path, tmp_path)
    assert np.abs(one[PREDICTED][0].astype(float) @ WEIGHTS.T - landsat).max() <= 1e-5 * landsat.max()
    assert figures.unmet == 0 and one[PREDICTED].min() >= 0
    two, _, figures = run(stages(tmp_path, two=True, response=RESPONSE), path, tmp_path)
    rows = area_weights(30, Fraction(15, 2))
    fine, enlarged = (
        np.einsum("ih,hwc,jw->ijc", rows, image.astype(float), rows) for image in (two[PREDICTED][0], landsat)
    )
    assert np.abs(fine @ WEIGHTS.T - native).max() <= 1e-5 * native.max() and figures.unmet == 0
    assert np.abs(enlarged - native).max() > 0.02 * native.max()  # what was enlarged is not what was measured
    drop(path, "landsat_native")
    old = run(stages(tmp_path, two=True, response=RESPONSE), path, tmp_path)[0][PREDICTED][0].astype(float)
    assert np.abs(np.einsum("ih,hwc,jw->ijc", rows, old, rows) @ WEIGHTS.T - enlarged).max() <= 1e-5 * native.max()


@pytest.mark.parametrize(
    ("entries", "attributes", "code", "clause"),
    [
        ({}, {"landsat": 7}, "RSF-D003", "number of Landsat bands is 3 in stage 1 and 7 in p.h5"),
        (
            {"sensor": "landsat8"},
            {"sensor": "landsat7"},
            "RSF-D003",
            "sensor is landsat8 in stage 1 and landsat7 in p.h5",
        ),
        (
            {"landsat_names": ["a", "b", "c"]},
            {"landsat_bands": ["a", "c", "b"]},
            "RSF-D003",
            "is a, b, c in stage 1 and a, c, b in p.h5",
        ),
        ({}, {"units": "reflectance"}, "RSF-D010", "is radiance in stage 1 and reflectance in p.h5"),
        ({}, {"factor": "3"}, "RSF-D003", "ratio of pixels is 15/2 in stage 2 and 3 in p.h5"),
        ({}, {"count": 0}, "RSF-D004", "holds no patches"),
    ],
)
def test_patches_of_another_kind_are_refused(tmp_path, entries, attributes, code, clause):
    path = write_plain(tmp_path / "p.h5", **{"landsat": 3} | attributes)
    with pytest.raises(RsforgeError) as caught:
        check_patches(stages(tmp_path, two=True, **entries), open_patch_file(path, path.name))
    assert caught.value.code == code and clause in caught.value.what
