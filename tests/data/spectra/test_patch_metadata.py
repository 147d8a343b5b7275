from __future__ import annotations

from fractions import Fraction

import h5py
import numpy as np
import pytest

from rsforge.data.spectra.patch_files import PatchRef, open_patch_file
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, drop, edit, write_plain, write_scene


def refusal(path) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        open_patch_file(path, path.name)
    return caught.value


def test_plain_files_have_no_wavelengths_and_the_factor_of_the_document(tmp_path):
    file = open_patch_file(write_plain(tmp_path / "x.h5"), "x.h5")
    assert (file.wavelength_nm, file.has_mask, file.factor) == (None, False, Fraction(15, 2))
    assert file.landsat_bands == 7 and file.spectrum.notes == ("it has no wavelengths",)
    assert open_patch_file(write_plain(tmp_path / "y.h5", downsampling_factor=7.5), "y").factor == Fraction(15, 2)
    assert open_patch_file(write_plain(tmp_path / "z.h5", downsampling_factor=6.0), "z").factor == 6


def test_micrometres_are_recognised_and_converted(tmp_path):
    fwhm = np.full(BANDS, 0.01)
    file = open_patch_file(write_plain(tmp_path / "x.h5", wavelengths=WAVELENGTH_NM / 1000, fwhm=fwhm), "x.h5")
    assert file.wavelength_nm == pytest.approx(WAVELENGTH_NM) and file.spectrum.fwhm_nm == pytest.approx(10)
    assert "micrometres" in file.spectrum.notes[0]


@pytest.mark.parametrize(
    ("wavelengths", "why"),
    [
        (WAVELENGTH_NM[::-1], "do not rise: 2038.18 nm follows 2200 nm"),
        (WAVELENGTH_NM[:-1], "there are 11 for 12 bands"),
        (np.r_[WAVELENGTH_NM[:-1], np.nan], "nan is none"),
        (np.r_[WAVELENGTH_NM[:-1], 420.0], "420 is given for 2 bands"),
    ],
)
def test_wavelengths_that_do_not_fit_are_refused(tmp_path, wavelengths, why):
    path = write_plain(tmp_path / "x.h5", wavelengths=wavelengths)
    error = refusal(path)
    assert error.code == "RSF-D014" and why in error.what and error.where.endswith("x.h5")


def test_bands_of_overlapping_detectors_are_sorted_on_reading(tmp_path):
    mixed = np.r_[WAVELENGTH_NM[:6], WAVELENGTH_NM[6:] - 400]
    path = write_plain(tmp_path / "x.h5", wavelengths=mixed, fwhm=np.arange(100.0, 112))
    file = open_patch_file(path, "x.h5")
    order = np.argsort(mixed)
    assert not np.array_equal(order, np.arange(12)) and "2 overlapping detectors" in file.spectrum.notes[1]
    assert np.array_equal(file.wavelength_nm, mixed[order])
    assert np.array_equal(file.spectrum.fwhm_nm, np.arange(100.0, 112)[order])
    pixels = PatchReader().read(PatchRef(file, 1))
    with h5py.File(write_plain(tmp_path / "y.h5")) as plain:
        assert np.array_equal(pixels.spectra, plain["aviris"][1][..., order])


def test_the_response_is_read_and_sorted_as_the_bands_are(tmp_path):
    weights, mixed = np.random.default_rng(0).random((7, BANDS)), np.r_[WAVELENGTH_NM[:6], WAVELENGTH_NM[6:] - 400]
    assert open_patch_file(write_plain(tmp_path / "x.h5"), "x").response is None
    file = open_patch_file(write_plain(tmp_path / "x.h5", landsat_response=weights, wavelengths=mixed), "x")
    assert np.array_equal(file.response, weights[:, np.argsort(mixed)])
    for wrong in (weights.T, weights * np.nan, weights.astype(int), "none"):
        error = refusal(write_plain(tmp_path / "x.h5", landsat_response=wrong))
        assert error.code == "RSF-D008" and "7 x 12 finite weights" in error.what


def test_bands_that_changed_places_are_no_detectors(tmp_path):
    changed = WAVELENGTH_NM.copy()
    changed[[2, 8]] = changed[[8, 2]]
    error = refusal(write_plain(tmp_path / "x.h5", wavelengths=changed))
    assert error.code == "RSF-D014" and "they are in no order: 905.455 nm follows 1714.55 nm" in error.what


def test_four_detectors_are_sorted_and_more_falls_are_refused(tmp_path):
    four = np.r_[400.0, 500, 600, 550, 700, 800, 750, 900, 1000, 950, 1100, 1200]
    assert "4 overlapping" in open_patch_file(write_plain(tmp_path / "x.h5", wavelengths=four), "x").spectrum.notes[1]
    four[-1] = 1050
    assert refusal(write_plain(tmp_path / "x.h5", wavelengths=four)).code == "RSF-D014"
    one = open_patch_file(write_plain(tmp_path / "y.h5", bands=1, wavelengths=[500.0]), "y")
    assert one.wavelength_nm == pytest.approx([500])


def test_other_shapes_are_refused(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    with h5py.File(path, "r+") as file:
        values = file["landsat"][:]
        del file["landsat"]
        file["landsat"] = values[:1]
    assert "/landsat has (1, 16, 16) patches, rows and columns, /aviris (2, 16, 16)" in refusal(path).what
    with h5py.File(path, "r+") as file:
        del file["landsat"]
        file["landsat"] = values[0]
    assert "not patches x rows x columns x bands" in refusal(path).what
    with h5py.File(path, "r+") as file:
        del file["landsat"]
        file["landsat"], file["valid"] = values, np.ones((2, 16, 15), np.uint8)
    assert "/valid has" in refusal(path).what
    with h5py.File(path, "r+") as file:
        del file["valid"]
        file["valid"] = np.ones((2, 16, 16, 1), np.uint8)
    assert "/valid has" in refusal(path).what


@pytest.mark.parametrize("factor", ["0.5", "no number", "15/0", [7.5, 7.5]])
def test_a_width_of_landsat_pixels_that_is_none_is_refused(tmp_path, factor):
    error = refusal(write_plain(tmp_path / "x.h5", factor=factor))
    assert error.code == "RSF-D008" and "a Landsat pixel is stated to be" in error.what


def test_the_simulated_sensor_is_known_where_it_is_stated(tmp_path):
    bands = [f"b{k}" for k in range(7)]
    file = open_patch_file(write_plain(tmp_path / "x.h5", sensor="landsat8", landsat_bands=bands), "x.h5")
    assert (file.sensor, file.landsat_names) == ("landsat8", tuple(bands))
    file = open_patch_file(write_plain(tmp_path / "y.h5", sensor=3, landsat_bands=bands[1:]), "y.h5")
    assert (file.sensor, file.landsat_names) == ("", ())
    assert file == file and len({PatchRef(file, 0), PatchRef(file, 0), PatchRef(file, 1)}) == 2


def test_pixels_of_landsat_must_fit_the_patches(tmp_path):
    path = write_scene(tmp_path / "x.h5", 2)
    assert open_patch_file(path, "x").has_native
    native = np.ones((2, 4, 4, 3), np.float32)
    for wrong in (
        native[:1],
        native[:, :3],
        native[..., :2],
        native[..., None],
        h5py.ExternalLink("/etc/passwd", "/x"),
    ):
        with h5py.File(drop(path, "landsat_native"), "r+") as file:
            file["landsat_native"] = wrong
        error = refusal(path)
        assert error.code == "RSF-D008"
        assert "not followed" in error.what or "(2, 4, 4, 3) is that of a pixel 15/2 wide" in error.what
    assert not open_patch_file(drop(path, "landsat_native", "landsat_native_valid"), "x").has_native


def test_pixels_of_landsat_that_are_no_numbers_are_named(tmp_path):
    path = write_scene(tmp_path / "x.h5", 1)
    edit(path, "landsat_native", (0, 1, 2, 1), np.nan)
    reader = PatchReader()
    with pytest.raises(RsforgeError) as caught:
        reader.read(PatchRef(open_patch_file(path, "x"), 0), landsat_alone=True)
    reader.close()
    assert "landsat_native of patch 0 is nan in row 1, column 2, band 2" in caught.value.what
    edit(path, "landsat_native_valid", (0, 1, 2), 0)
    native = PatchReader().read(PatchRef(open_patch_file(path, "x"), 0), landsat_alone=True).native
    assert np.isnan(native[1, 2]).all() and np.isfinite(native).sum() == 45
