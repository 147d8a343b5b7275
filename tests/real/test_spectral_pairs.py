"""Real cubes as training data: two overlapping detectors, tiles of one scene, few pixels."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.spectra.endmembers import find_by_vca
from rsforge.data.spectra.pair_dataset import SpectralPairs
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.pixel_stream import stream_pixels
from rsforge.data.spectra.ridge import Moments
from rsforge.data.spectra.training_fits import fit_training_side
from rsforge.recipes.datasets.cube_patches import find_patch_sets
from tests.worlds.commands import rsforge
from tests.worlds.consoles import RecordingConsole


@pytest.fixture(scope="module")
def patches(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("enmap")
    tiles = real_data / "hyperspectral" / "enmap_potsdam"
    line = "data hsi-patches --input {} --output-dir {} --patch-size 15 --quiet"
    assert rsforge(line, tiles, folder) == 0
    return folder


def test_enmap_tiles_are_divided_fitted_and_served(patches):
    console = RecordingConsole()
    sets = find_patch_sets(patches, console)
    assert console.has_line("2 overlapping detectors are sorted") and sets.train and sets.val
    file = sets.train[0].file
    assert (np.diff(file.wavelength_nm) > 0).all() and file.bands == len(file.wavelength_nm) > 200
    fits = fit_training_side(sets.train, sets.val, seed=0)
    held_out = Moments()
    stream_pixels(sets.val, [held_out], reader=PatchReader())
    explained = 1 - fits.ridge.mean_squared_error(held_out) / held_out.covariances()[2]
    assert np.median(explained) > 0.3
    corners = fits.pixels[find_by_vca(fits.pixels, 5, seed=0)]
    assert corners.min() >= 0 and len(np.unique(corners, axis=0)) == 5
    data = SpectralPairs(sets.train, landsat=fits.landsat, spectra=fits.spectra, size=8, seed=0)
    sample = data[0, 0]
    assert sample["spectra"].shape == (file.bands, 8, 8) and sample["landsat"].shape == (7, 8, 8)
    assert -0.5 < sample["spectra"].min() < sample["spectra"].max() < 2
