"""The patches of the selftest."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi_selftest.drawn_patches import (
    FACTOR,
    REMOVED_NM,
    choose_wavelengths,
    cut_patches,
    draw_patches,
    draw_wide_patch,
)
from tests.worlds.spectral_patches import edit, write_plain, write_scene


@pytest.mark.parametrize("bands", [8, 50, 340])
def test_bands_rise_and_leave_out_what_water_absorbs(bands):
    centres = choose_wavelengths(bands)
    assert len(centres) == bands and (np.diff(centres) > 0).all()
    assert not any(((centres >= low) & (centres <= high)).any() for low, high in REMOVED_NM)


def test_drawn_patches_are_spectra_and_what_landsat_sees_of_them(tmp_path):
    draw_patches(tmp_path, 40, seed=0)
    (file,) = find_patch_files(tmp_path)
    assert (file.count, file.bands, file.landsat_bands, file.sensor) == (2, 40, 7, "landsat8")
    first, second = (PatchReader().read(ref) for ref in list_patches([file]))
    assert first.valid.all() and first.spectra.min() >= 0 and first.spectra.max() <= 1
    assert not np.array_equal(first.spectra, second.spectra)
    nir = np.abs(file.wavelength_nm - 865).argmin()
    assert np.corrcoef(first.landsat[..., 4].ravel(), first.spectra[..., nir].ravel())[0, 1] > 0.8


def test_a_wide_patch_has_as_many_bands_as_are_asked_for(tmp_path):
    for bands in (40, 400):  # more than there are wavelengths
        draw_wide_patch(tmp_path / str(bands), bands, 20, seed=1)
        [file] = find_patch_files(tmp_path / str(bands))
        assert (file.bands, file.height, file.factor, file.wavelength_nm) == (bands, 20, FACTOR, None)


def test_centres_are_cut_from_the_first_patch_of_each_file(tmp_path):
    for seed, name in enumerate("ab"):
        write_scene(tmp_path / "given" / name / "x.h5", 2, size=45, seed=seed, hole=4)
    cut_patches(tmp_path / "given", tmp_path / "small")
    (file,) = find_patch_files(tmp_path / "small")
    assert (file.count, file.height, file.unit) == (2, 30, "radiance")
    given = [ref for ref in list_patches(find_patch_files(tmp_path / "given")) if ref.row == 0]
    for ref, source in zip(list_patches([file]), given, strict=True):
        own, whole = PatchReader().read(ref), PatchReader().read(source)
        assert np.array_equal(own.spectra, whole.spectra[7:37, 7:37]) and own.valid.all()
        assert np.array_equal(own.landsat, whole.landsat[7:37, 7:37])
    assert np.array_equal(file.wavelength_nm, given[0].file.wavelength_nm)


def test_small_and_plain_patches_are_taken_whole(tmp_path):
    write_plain(tmp_path / "given/x.h5", 1)
    cut_patches(tmp_path / "given", tmp_path / "small")
    (file,) = find_patch_files(tmp_path / "small")
    assert (file.count, file.height, file.wavelength_nm) == (1, 16, None)


def test_patches_without_a_valid_centre_are_refused(tmp_path):
    edit(write_scene(tmp_path / "a/x.h5", 1), "valid", (0,), 0)
    with h5py.File(tmp_path / "a/x.h5") as file:
        assert not file["valid"][0].any()
    with pytest.raises(RsforgeError) as caught:
        cut_patches(tmp_path, tmp_path / "small")
    assert caught.value.code == "RSF-D004" and "a/x.h5#0" in caught.value.where
