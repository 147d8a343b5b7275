"""The stage 1 that stage 2 builds on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import h5py
import numpy as np
import pytest
import torch

from rsforge.data.cubes.resample import area_mean, area_weights
from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.spatial_dataset import landsat_at_its_pixels
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.first_stage import (
    PredictionStore,
    check_fits,
    check_goes_on,
    describe_predictions,
    load_first_stage,
    predict_coarse,
)
from rsforge.recipes.hsi.prediction import Stages, predict_coarse_to_fine
from rsforge.recipes.training.job import Compute
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_patches import drop, edit, write_scene

COMPUTE = Compute(torch.device("cpu"), SingleProcess())
FACTOR = Fraction(15, 2)


@pytest.fixture
def first(stage1):
    return load_first_stage(stage1, COMPUTE)


@pytest.fixture
def patches(tmp_path):
    write_scene(tmp_path / "set" / "x.h5", 2, hole=4, size=34)
    return list_patches(find_patch_files(tmp_path / "set"))


def test_trap_08_predictions_are_of_the_pixels_that_landsat_has(first, patches):
    """The ``landsat`` of patches is interpolated to fine pixels: stage 2 takes no crop of it, but what was measured."""
    coarse = predict_coarse(first.model, patches[0], PatchReader(), FACTOR)
    with h5py.File(patches[0].file.path) as file:
        native, known = file["landsat_native"][0], file["landsat_native_valid"][0] != 0
    assert coarse.shape == (12, 4, 4) and known.all()
    landsat = torch.from_numpy(first.model.landsat.normalise(native)).permute(2, 0, 1)[None]
    torch.testing.assert_close(coarse, first.model.network(landsat)[0].detach())


def test_files_without_pixels_of_landsat_give_means_of_the_enlarged_ones(first, patches, tmp_path):
    old = drop(patches[0].file.path, "landsat_native")
    ref = list_patches(find_patch_files(tmp_path / "set"))[0]
    coarse = predict_coarse(first.model, ref, PatchReader(), FACTOR)
    pixels, weights = PatchReader().read(ref), area_weights(30, FACTOR)
    means, share = area_mean(pixels.landsat[:30, :30], pixels.valid[:30, :30], weights, weights)
    landsat = torch.from_numpy(first.model.landsat.normalise(means)).permute(2, 0, 1)[None]
    assert old and (share >= 0.5).all()
    torch.testing.assert_close(coarse, first.model.network(landsat)[0].detach(), rtol=1e-4, atol=1e-5)


def test_stage_2_is_trained_on_what_predictions_give_it(first, patches):
    """One chain in training and in use: for patches, and for a scene of the same pixels."""
    for hole in (False, True):
        if hole:
            edit(patches[0].file.path, "valid", (0, slice(0, 15), slice(0, 20)), 0)
            edit(patches[0].file.path, "landsat_native_valid", (0, slice(0, 2), slice(0, 3)), 0)
        ref = list_patches(find_patch_files(patches[0].file.path.parent))[0]
        coarse = predict_coarse(first.model, ref, PatchReader(), FACTOR)
        landsat = landsat_at_its_pixels(PatchReader().read(ref), FACTOR)
        spectra, known = predict_coarse_to_fine(Stages(first.model), landsat)
        unit = first.model.spectra.normalise(spectra.movedim(0, -1).numpy())
        np.testing.assert_allclose(coarse.movedim(0, -1), np.where(known[..., None], unit, np.nan), atol=1e-6)
        assert int((~known).sum()) == 6 * hole


def test_predictions_are_stored_once(first, patches, tmp_path, monkeypatch):
    console = RecordingConsole()
    store = PredictionStore(tmp_path / "store", first, FACTOR, COMPUTE, console)
    values = store.predictions(patches, "training", "digest")
    assert values.shape == (2, 12, 4, 4) and isinstance(values, np.memmap)
    (path,) = (tmp_path / "store").iterdir()
    written = path.stat().st_mtime_ns
    assert np.array_equal(store.predictions(patches, "training", "digest"), values)
    assert path.stat().st_mtime_ns == written and not console.warned
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert np.array_equal(store.predictions(patches, "training", "digest"), values)
    assert "predicted again" in console.warned[0]
    store.predictions(patches, "held-out", "digest")
    store.predictions(patches, "training", "other")
    PredictionStore(tmp_path / "store", first, Fraction(3), COMPUTE, console).predictions(patches, "training", "digest")
    assert len(list((tmp_path / "store").iterdir())) == 4


def test_patches_of_several_sizes_are_filled_up(first, patches, tmp_path):
    write_scene(tmp_path / "set" / "y.h5", 1, size=49)
    several = list_patches(find_patch_files(tmp_path / "set"))
    values = PredictionStore(tmp_path / "store", first, FACTOR, COMPUTE, RecordingConsole()).predictions(
        several, "training", "d"
    )
    assert values.shape == (3, 12, 6, 6) and not values[0, :, 4:].any() and values[2, :, 5, 5].all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bands": 11}, "the number of bands is 12 in stage 1 and 11 in the patches"),
        ({"landsat_bands": 7}, "the number of Landsat bands is 3 in stage 1 and 7 in the patches"),
        ({"unit": "reflectance"}, "the unit is radiance in stage 1 and reflectance in the patches"),
    ],
)
def test_a_stage_1_of_other_patches_is_refused(first, patches, change, words):
    file = patches[0].file
    check_fits(first, file)
    with pytest.raises(RsforgeError) as caught:
        check_fits(first, replace(file, **change))
    assert caught.value.code == "RSF-C006" and words in caught.value.what


def test_a_stage_1_of_another_sensor_is_refused(first, patches):
    file = patches[0].file
    moved = file.spectrum._replace(wavelength_nm=file.wavelength_nm + 100)
    with pytest.raises(RsforgeError) as caught:
        check_fits(first, replace(file, spectrum=moved))
    assert caught.value.code == "RSF-C006" and "is 420 in stage 1 and 520 in the patches" in caught.value.what
    check_fits(first, replace(file, spectrum=file.spectrum._replace(wavelength_nm=None)))


def test_predictions_that_are_not_finite_are_refused(first, patches):
    first.model.network.highest[3] = float("nan")
    with pytest.raises(RsforgeError) as caught:
        predict_coarse(first.model, patches[1], PatchReader(), FACTOR)
    assert caught.value.code == "RSF-T004" and caught.value.where == patches[1].name


def test_a_run_that_was_given_another_input_does_not_go_on(first, tmp_path):
    now = describe_predictions(first)
    check_goes_on({"predictions": now}, first, tmp_path)
    for state in ({}, {"predictions": "stage-1 predictions 2"}):
        with pytest.raises(RsforgeError) as caught:
            check_goes_on(state, first, tmp_path)
        assert caught.value.code == "RSF-C008" and now in caught.value.found and "new run" in caught.value.fix
    assert describe_predictions(None) == ""
