from __future__ import annotations

from fractions import Fraction

import h5py
import pytest

from rsforge.data.spectra.patch_files import find_patch_files, list_patches
from rsforge.errors import RsforgeError
from tests.worlds.spectral_patches import BANDS, WAVELENGTH_NM, WEIGHTS, write_plain, write_scene


def refusal(root) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        find_patch_files(root)
    return caught.value


def test_files_are_found_at_any_depth_and_described(tmp_path):
    write_scene(tmp_path / "b" / "test_patches.h5", 2)
    write_scene(tmp_path / "a" / "deep" / "test_patches.h5", 3)
    files = find_patch_files(tmp_path)
    assert [(f.name, f.count) for f in files] == [("a/deep/test_patches.h5", 3), ("b/test_patches.h5", 2)]
    file = files[0]
    assert (file.height, file.width, file.landsat_bands, file.bands) == (30, 30, 3, BANDS)
    assert file.wavelength_nm == pytest.approx(WAVELENGTH_NM) and file.has_mask and file.unit == "radiance"
    assert file.factor == Fraction(15, 2) and "nanometres" in file.spectrum.notes[0]
    assert [ref.name for ref in list_patches(files)][2:4] == ["a/deep/test_patches.h5#2", "b/test_patches.h5#0"]


def test_wavelengths_of_another_sensor_are_refused_and_small_shifts_are_not(tmp_path):
    write_plain(tmp_path / "a.h5", wavelengths=WAVELENGTH_NM)
    write_plain(tmp_path / "b.h5", wavelengths=WAVELENGTH_NM + 1)
    assert len(find_patch_files(tmp_path)) == 2
    write_plain(tmp_path / "b.h5", wavelengths=WAVELENGTH_NM + 90)
    error = refusal(tmp_path)
    assert error.code == "RSF-D014" and "b.h5" in error.what and "510 nm in b.h5, 420 nm in a.h5" in error.found


def test_a_missing_key_is_named(tmp_path):
    for key in ("landsat", "aviris"):
        path = write_plain(tmp_path / "x.h5")
        with h5py.File(path, "r+") as file:
            del file[key]
        error = refusal(tmp_path)
        assert error.code == "RSF-D008" and f"it holds no {key}" in error.what and error.where == str(path)
        assert f"rsforge data hsi-patches --input {path} " in error.fix


SENSOR = {"sensor": "landsat8", "landsat_bands": ["blue", "green", "red"], "units": "radiance"}
STATED = {"wavelengths": WAVELENGTH_NM, "good_band_mask": [1] * BANDS + [0], "landsat_response": WEIGHTS, **SENSOR}
OTHERS = [
    ({"bands": 5}, "RSF-D008", "number of bands", "5 in b.h5, 12 in a.h5"),
    ({"landsat": 6}, "RSF-D008", "number of Landsat bands", "6 in b.h5, 3 in a.h5"),
    ({"factor": "6"}, "RSF-D008", "width of a Landsat pixel", "6 in b.h5, 15/2 in a.h5"),
    ({"sensor": "landsat9"}, "RSF-D008", "simulated sensor", "landsat9 in b.h5, landsat8 in a.h5"),
    ({"sensor": ""}, "RSF-D008", "simulated sensor", "not stated in b.h5, landsat8 in a.h5"),
    ({"landsat_bands": ["red", "green", "blue"]}, "RSF-D008", "list of Landsat bands", "red, green, blue in b.h5"),
    ({"units": "reflectance"}, "RSF-D010", "unit", "reflectance in b.h5, radiance in a.h5"),
    ({"wavelengths": WAVELENGTH_NM + 90}, "RSF-D014", "wavelengths", "510 nm in b.h5, 420 nm in a.h5"),
    ({"wavelengths": None}, "RSF-D014", "wavelengths", "a.h5 states wavelengths, b.h5 none"),
    ({"good_band_mask": [0] + [1] * BANDS}, "RSF-D008", "choice of bands", "band 1 of the cube is kept in a.h5"),
    ({"landsat_response": WEIGHTS[::-1]}, "RSF-D008", "response of the sensor", "band 1: 0.5 between two weights"),
    (
        {"landsat_response": WEIGHTS[::-1], "wavelengths": WAVELENGTH_NM + 1},
        "RSF-D008", "response of the sensor", "Landsat band 1: 648 nm between the centres",
    ),
]  # fmt: skip


@pytest.mark.parametrize("later", ["b.h5", "c.h5"])
@pytest.mark.parametrize(("other", "code", "what", "found"), OTHERS, ids=lambda value: str(value)[:24])
def test_files_that_do_not_belong_together_are_named(tmp_path, other, code, what, found, later):
    write_plain(tmp_path / "a.h5", **{"landsat": 3, **STATED})
    write_plain(tmp_path / "b.h5", **{"landsat": 3, **STATED})
    assert len(find_patch_files(tmp_path)) == 2
    stated = {name: value for name, value in {"landsat": 3, **STATED, **other}.items() if value is not None}
    if stated["landsat"] != 3 or stated.get("bands"):
        del stated["landsat_response"], stated["wavelengths"]
    write_plain(tmp_path / later, **stated)
    error = refusal(tmp_path)
    assert error.code == code and what in error.what and found.replace("b.h5", later) in error.found
    assert error.where == str(tmp_path / later) and error.fix


def test_what_a_file_may_leave_out_is_no_difference(tmp_path):
    write_plain(tmp_path / "a.h5", landsat=3, **STATED)
    write_plain(tmp_path / "b.h5", landsat=3, wavelengths=WAVELENGTH_NM, **SENSOR)
    assert len(find_patch_files(tmp_path)) == 2
    write_plain(tmp_path / "b.h5", landsat=3, **{**STATED, "good_band_mask": [1] * BANDS})
    assert len(find_patch_files(tmp_path)) == 2


def test_a_stated_factor_is_at_least_one(tmp_path):
    write_plain(tmp_path / "b.h5", factor="0.5")
    assert "0.5 pixels wide" in refusal(tmp_path).what


def test_no_file_and_no_patch(tmp_path):
    assert refusal(tmp_path).code == "RSF-D001"
    write_plain(tmp_path / "x.h5", 0)
    error = refusal(tmp_path)
    assert error.code == "RSF-D004" and error.found == "x.h5"
    write_plain(tmp_path / "y.h5", 1)
    assert [file.name for file in find_patch_files(tmp_path)] == ["y.h5"]


def test_a_truncated_file_is_named(tmp_path):
    path = write_plain(tmp_path / "x.h5")
    path.write_bytes(path.read_bytes()[:5000])
    error = refusal(tmp_path)
    assert error.code == "RSF-D008" and "not an intact HDF5 file" in error.what


def test_values_of_other_files_are_not_followed(tmp_path):
    write_plain(tmp_path / "out" / "secret.h5")
    path = write_plain(tmp_path / "in" / "x.h5")
    with h5py.File(path, "r+") as file:
        del file["aviris"]
        file["aviris"] = h5py.ExternalLink(str(tmp_path / "out" / "secret.h5"), "/aviris")
    error = refusal(tmp_path / "in")
    assert error.code == "RSF-D008" and "link to another file" in error.what
    (tmp_path / "out" / "raw").write_bytes(bytes(4 * 2 * 16 * 16 * 12))
    with h5py.File(path, "r+") as file:
        del file["aviris"]
        outside = [(str(tmp_path / "out" / "raw"), 0, 4 * 2 * 16 * 16 * 12)]
        file.create_dataset("aviris", (2, 16, 16, 12), "f4", external=outside)
    assert "lie in another file" in refusal(tmp_path / "in").what
