from __future__ import annotations

import json

import numpy as np
import pytest

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.ridge import STRENGTHS, Ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.data.spectra.training_fits import fit_training_side
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import edit, write_scene


@pytest.fixture
def root(tmp_path):
    write_scene(tmp_path / "a" / "x.h5", 3, hole=4)
    return tmp_path


def test_all_is_measured_on_the_training_side_alone(root):
    patches = list_patches(find_patch_files(root))
    reader, steps = PatchReader(), []
    pixels = [reader.read(patch) for patch in patches]
    fits = fit_training_side(patches[:2], patches[2:], seed=0, reader=reader, step=lambda: steps.append(1))
    valid = np.concatenate([one.spectra[one.valid] for one in pixels[:2]]).astype(float)
    low, high = np.percentile(valid, [1, 99])
    assert (fits.spectra.low[0], fits.spectra.high[0]) == pytest.approx((low, high), rel=1e-3) and len(steps) == 3
    assert fits.landsat.bands is None and fits.ridge.strength in STRENGTHS and not fits.spectra.clip
    reader.close()
    edit(patches[2].file.path, "aviris", (2,), 50)
    changed = fit_training_side(list_patches(find_patch_files(root))[:2], seed=0)
    assert changed.spectra == fits.spectra and np.array_equal(changed.pixels, fits.pixels)


def test_regression_predicts_spectra_from_the_landsat_of_the_same_pixel(root):
    patches = list_patches(find_patch_files(root))
    fits = fit_training_side(patches, seed=0, per_band=True, clip=True, percentiles=(2, 98), sample=60)
    assert fits.spectra.bands == 12 and fits.landsat.bands == 3 and fits.spectra.percentiles == (2, 98)
    assert len(fits.pixels) == 60 and fits.spectra.clip and fits.note == ""
    pixels = PatchReader().read(patches[0])
    landsat, spectra = pixels.landsat[pixels.valid], pixels.spectra[pixels.valid]
    error = ((fits.ridge.predict(landsat) - spectra) ** 2).mean()
    assert error < 0.999 * ((spectra - spectra.mean(0)) ** 2).mean()
    stored = json.loads(json.dumps(fits.as_dict()))
    assert Scaling.from_dict(stored["spectra"]) == fits.spectra and Scaling.from_dict(stored["landsat"]) == fits.landsat
    assert np.array_equal(Ridge.from_dict(stored["ridge"]).weight, fits.ridge.weight)


def test_negative_radiance_is_refused_or_noted(root):
    edit(root / "a" / "x.h5", "aviris", (1, slice(10, 12), slice(None), 3), -0.5)
    fits = fit_training_side(list_patches(find_patch_files(root)), seed=0)
    assert fits.note.startswith("0.19% of the values are negative, down to -0.5") and "a/x.h5#1" in fits.note
    edit(root / "a" / "x.h5", "aviris", (1, slice(10, 30)), -0.5)
    with pytest.raises(RsforgeError) as caught:
        fit_training_side(list_patches(find_patch_files(root)), seed=0)
    assert caught.value.code == "RSF-D010" and caught.value.where == "a/x.h5#1"


def test_negative_landsat_is_refused(root):
    edit(root / "a" / "x.h5", "landsat", (0, slice(10, 30)), -0.5)
    with pytest.raises(RsforgeError) as caught:
        fit_training_side(list_patches(find_patch_files(root)), seed=0)
    assert caught.value.where == "a/x.h5#0" and "of the values of Landsat are negative" in caught.value.found


def test_no_training_patch_and_no_valid_pixel(root):
    with pytest.raises(RsforgeError) as caught:
        fit_training_side([], seed=0)
    assert caught.value.code == "RSF-D004" and "no patch" in caught.value.what
    edit(root / "a" / "x.h5", "valid", (slice(None),), 0)
    with pytest.raises(RsforgeError) as caught:
        fit_training_side(list_patches(find_patch_files(root)), seed=0)
    assert caught.value.code == "RSF-D004" and "no valid pixel" in caught.value.what
