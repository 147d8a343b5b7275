"""What stage 1 is trained on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from rsforge.data.spectra.patch_files import find_patch_files
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.engine.distributed import SingleProcess
from rsforge.errors import RsforgeError
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.hsi.patch_pairs import (
    ENLARGED,
    OWN,
    check_compared,
    find_response,
    load_patches,
    state_response,
    weights_of_patches,
)
from rsforge.recipes.training.job import Compute
from rsforge.settings.hsi import SpectralTrainSettings
from tests.worlds.consoles import RecordingConsole
from tests.worlds.spectral_checkpoints import write_sensor
from tests.worlds.spectral_patches import BANDS, WEIGHTS, drop, edit, write_landsat8_scene, write_plain, write_scene

COMPUTE = Compute(torch.device("cpu"), SingleProcess())


def load(root, console=None, **data):
    settings = SpectralTrainSettings(data={"data_dir": str(root), **data})
    return load_patches(settings, COMPUTE, console or RecordingConsole())


def names(samples):
    return {samples.name(k) for k in range(len(samples))}


def test_trap_02_whole_scenes_are_held_out_and_their_pixels_change_no_fit(scenes):
    sets = load(scenes, crop_size=12, crops_per_patch=2)
    assert len(sets.train) == 12 and len(sets.held_out) == 3
    sides = [{name.split("/")[0] for name in names(side)} for side in (sets.train, sets.held_out)]
    assert len(sides[1]) == 1 and not sides[0] & sides[1]
    assert sets.train[0, 0]["spectra"].shape == (12, 12, 12) and sets.held_out[0, 0]["spectra"].shape == (12, 30, 30)
    again = load(scenes, augment=False)
    assert again.fits.spectra == sets.fits.spectra and torch.equal(
        again.train[0, 1]["spectra"], again.train[5, 1]["spectra"]
    )


def test_held_out_patches_of_several_sizes_are_cropped(tmp_path):
    write_scene(tmp_path / "a" / "x.h5", 2)
    write_scene(tmp_path / "b" / "x.h5", 2, size=45)
    sets = load(tmp_path, divide_by="block", crop_size=15, val_fraction=0.5)
    shapes = {tuple(sets.held_out[0, k]["spectra"].shape) for k in range(len(sets.held_out))}
    assert shapes <= {(12, 15, 15), (12, 30, 30), (12, 45, 45)} and len(shapes) == 1


def test_without_held_out_patches_there_is_an_empty_side(scenes):
    sets = load(scenes, val_fraction=0)
    assert isinstance(sets.held_out, NoSamples) and len(sets.held_out) == 0 and len(sets.train) == 9
    with pytest.raises(IndexError):
        sets.held_out[0, 0]
    with pytest.raises(IndexError):
        sets.held_out.name(0)


def test_percentiles_are_by_band_and_cut_off_on_request(scenes):
    sets = load(scenes, per_band=True, clip_outliers=True, percentiles=(10, 90))
    assert sets.fits.spectra.bands == 12 and sets.fits.spectra.percentiles == (10, 90)
    values = sets.train[0, 0]["spectra"]
    assert values.min() == 0 and values.max() == 1


def test_a_little_negative_radiance_is_said(tmp_path):
    scene = write_scene(tmp_path / "a" / "x.h5", 2)
    edit(scene, "aviris", (1, slice(10, 12), slice(None), 3), -0.5)
    console = RecordingConsole()
    load(tmp_path, console, val_fraction=0)
    assert any("negative" in line for line in console.warned)


def test_the_response_is_that_of_the_sensor_which_the_files_name(tmp_path):
    write_landsat8_scene(tmp_path / "a/x.h5")
    settings = SpectralTrainSettings(
        data={"data_dir": str(tmp_path), "val_fraction": 0}, loss={"consistency_weight": 1}
    )
    sets = load_patches(settings, COMPUTE, RecordingConsole())
    assert len(sets.train) == 2 and sets.response.shape == (6, 12)
    np.testing.assert_allclose(sets.response.sum(1), 1)
    whole = PatchReader().read(sets.train.patches[0])
    # Averaging over coarse pixels and back keeps the mean of a patch nearly as it is.
    seen = (whole.spectra @ sets.response.T).mean((0, 1))
    np.testing.assert_allclose(seen, whole.landsat.mean((0, 1)), rtol=0.01)
    assert load(tmp_path, val_fraction=0).response is None


@pytest.mark.parametrize(
    ("facts", "data", "words"),
    [
        ({}, {}, "which the files do not name"),
        ({"sensor": "/etc/passwd"}, {}, "the response of /etc/passwd is not known"),
        ({"sensor": "landsat8", "landsat_bands": ["red", "nir", "other"]}, {}, "are not those of landsat8"),
        ({"sensor": "landsat8", "landsat_bands": ["red", "nir", "swir2"]}, {}, "do not cover swir2 of landsat8"),
        ({"sensor": "landsat8", "landsat_bands": ["red", "nir", "blue"]}, {"clip_outliers": True}, "are cut off"),
    ],
)
def test_without_a_response_there_is_no_consistency(tmp_path, facts, data, words):
    write_scene(tmp_path / "a/x.h5", 2, facts=facts)
    settings = SpectralTrainSettings(data={"data_dir": str(tmp_path), **data}, loss={"consistency_weight": 1})
    with pytest.raises(RsforgeError) as caught:
        find_response(find_patch_files(tmp_path)[0], settings.data)
    assert caught.value.code == "RSF-U005" and words in caught.value.what + caught.value.found


def test_the_response_of_an_own_sensor_is_that_of_the_files(tmp_path):
    write_scene(tmp_path / "a/x.h5", 2, facts={"sensor": "own", "landsat_response": WEIGHTS})
    settings = SpectralTrainSettings(data={"data_dir": str(tmp_path)}, loss={"consistency_weight": 1})
    assert np.array_equal(find_response(find_patch_files(tmp_path)[0], settings.data), WEIGHTS)


def test_a_named_sensor_gives_the_response_that_files_do_not(tmp_path):
    write_scene(tmp_path / "a/x.h5", 2)
    sensor = str(write_sensor(tmp_path / "sensor.csv"))
    settings = SpectralTrainSettings(
        data={"data_dir": str(tmp_path), "val_fraction": 0}, loss={"consistency_weight": 1, "sensor": sensor}
    )
    sets = load_patches(settings, COMPUTE, RecordingConsole())
    assert np.array_equal(sets.response, sets.file.response) and sets.response.shape == (3, BANDS)
    file = replace(find_patch_files(tmp_path)[0], response=sets.response)
    assert np.array_equal(state_response(file, sensor).response, sets.response) and state_response(file, None) is file
    with pytest.raises(RsforgeError) as caught:
        state_response(replace(file, response=WEIGHTS[::-1]), sensor)
    assert caught.value.code == "RSF-U005" and "the patches simulate another sensor, not" in caught.value.what
    assert "Landsat band" in caught.value.found


def test_the_sensor_that_the_files_name_is_no_other(tmp_path):
    file = find_patch_files(write_landsat8_scene(tmp_path / "a/x.h5").parent)[0]
    stated = state_response(file, "landsat8").response
    assert np.array_equal(stated, weights_of_patches(file))
    with pytest.raises(RsforgeError, match="the patches simulate landsat8, not landsat9"):
        state_response(file, "landsat9")


def test_without_wavelengths_there_is_no_consistency(tmp_path):
    write_plain(tmp_path / "x.h5", 2, sensor="landsat8")
    settings = SpectralTrainSettings(
        data={"data_dir": str(tmp_path), "val_fraction": 0}, loss={"consistency_weight": 1}
    )
    with pytest.raises(RsforgeError) as caught:
        load_patches(settings, COMPUTE, RecordingConsole())
    assert caught.value.code == "RSF-U005" and "no wavelengths" in caught.value.found


def load_consistent(folder, console, state=None, **data):
    settings = SpectralTrainSettings(
        data={"data_dir": str(folder), "val_fraction": 0, **data}, loss={"consistency_weight": 1}
    )
    return load_patches(settings, COMPUTE, console, state)


def test_consistency_is_at_the_pixels_of_landsat_where_all_files_have_them(tmp_path):
    for name in "ab":
        write_landsat8_scene(tmp_path / name / "x.h5")
    console = RecordingConsole()
    sets = load_consistent(tmp_path, console, crop_size=20)
    assert sets.train.factor == Fraction(15, 2) and sets.train.step == 15 and "native" in sets.train[0, 0]
    assert not [line for line in console.said if line.startswith("consistency")]
    for crop, words in ((5, "is whole in a crop of 5"), (20, "not all files have landsat_native")):
        if crop == 20:
            drop(tmp_path / "b" / "x.h5", "landsat_native")
        plain = load_consistent(tmp_path, console, crop_size=crop)
        assert plain.train.factor is None and plain.train.step == 1 and "native" not in plain.train[0, 0]
        assert any(words in line and "do not meet" in line for line in console.said)


def test_a_run_that_compared_otherwise_does_not_go_on(tmp_path):
    """Also one of a version that did not say: it compared with the enlarged landsat."""
    check_compared(None, OWN, tmp_path)
    check_compared({}, ENLARGED, tmp_path)
    check_compared({"compared": OWN}, OWN, tmp_path)
    with pytest.raises(RsforgeError) as caught:
        check_compared({}, OWN, tmp_path)
    assert caught.value.code == "RSF-C008" and "enlarged" in caught.value.found
