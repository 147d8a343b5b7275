"""Stored numbers become physical values, gaps become NaN, and numbers of unknown meaning are refused."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from rsforge.data.io.windows import Window
from rsforge.data.scenes.landsat_scene import BandRequest, open_landsat
from rsforge.errors import RsforgeError
from tests.worlds.band_files import write_product
from tests.worlds.spectral_checkpoints import draw_landsat, write_landsat


def read(path, *, count=3, **request):
    with open_landsat(path, BandRequest(count, **request)) as scene:
        info = scene.info
        return scene.read(Window(0, 0, info.height, info.width)), scene


def draw_numbers(height=6, width=5):
    return np.random.default_rng(0).integers(7273, 43636, (height, width, 3)).astype(np.uint16)


def test_floats_are_values_as_they_are(tmp_path):
    values = draw_landsat(6, 5)
    got, scene = read(write_landsat(tmp_path / "a.tif", values))
    assert np.array_equal(np.moveaxis(got, 0, -1), values) and got.dtype == np.float32
    assert scene.unit == "radiance"


@pytest.mark.parametrize("how", ["option", "name", "descriptions", "tags"])
def test_collection_2_becomes_reflectance_by_its_scale_and_offset(tmp_path, how):
    numbers = draw_numbers()
    numbers[0, 0, 1] = 0  # no data, though the file does not say so
    named = "LC08_L2SP_195025_20200601_20200825_02_T1_SR.TIF" if how == "name" else "scene.tif"
    names = ("SR_B2", "SR_B3", "SR_B4") if how == "descriptions" else ()
    scales = (0.0000275, -0.2) if how == "tags" else None
    path = write_landsat(tmp_path / named, numbers, names=names, scales=scales, tags={})
    got, scene = read(path, **{"values": "collection2"} if how == "option" else {})
    assert scene.unit == "reflectance"
    expected = numbers * 0.0000275 - 0.2
    expected[0, 0] = np.nan
    np.testing.assert_allclose(np.moveaxis(got, 0, -1), expected, rtol=1e-6)
    assert got[0, 3, 2] == pytest.approx(int(numbers[3, 2, 0]) * 0.0000275 - 0.2)


def test_scales_of_the_file_and_of_the_user(tmp_path):
    numbers = draw_numbers()
    path = write_landsat(tmp_path / "a.tif", numbers, scales=(0.01, 1.0))
    np.testing.assert_allclose(np.moveaxis(read(path)[0], 0, -1), numbers * 0.01 + 1, rtol=1e-6)
    np.testing.assert_allclose(
        np.moveaxis(read(path, scale_offset=(0.5, -3.0))[0], 0, -1), numbers * 0.5 - 3, rtol=1e-6
    )


def test_whole_numbers_that_nothing_explains_are_refused(tmp_path):
    path = write_landsat(tmp_path / "a.tif", draw_numbers())
    with pytest.raises(RsforgeError) as caught:
        read(path)
    assert caught.value.code == "RSF-D010" and "--scale-offset" in caught.value.fix
    assert np.array_equal(np.moveaxis(read(path, values="training")[0], 0, -1), draw_numbers())


def test_floats_are_no_numbers_of_collection_2(tmp_path):
    with pytest.raises(RsforgeError) as caught:
        read(write_landsat(tmp_path / "a.tif", draw_landsat(4, 4)), values="collection2")
    assert caught.value.code == "RSF-D010"


@pytest.mark.parametrize("declared", [True, False])
def test_a_pixel_without_data_in_one_band_is_nan_in_all(tmp_path, declared):
    values = draw_landsat(6, 5)
    values[1, 2, 0] = -9999
    values[3, 3, 1] = np.nan
    values[4, 0, 2] = np.inf
    got, _ = read(write_landsat(tmp_path / "a.tif", values, **{"nodata": -9999} if declared else {}))
    expected = np.ones((6, 5), bool)
    expected[1, 2] = expected[3, 3] = expected[4, 0] = False
    assert np.array_equal(np.isfinite(got).all(0), expected) and np.array_equal(np.isnan(got).any(0), ~expected)


def test_bands_are_read_in_the_order_of_the_training(tmp_path):
    values = draw_landsat(6, 5, count=4)
    values[0, 0, 1] = np.nan  # in a band that is not read
    names = ("SR_B4", "QA_PIXEL", "SR_B2", "SR_B3")
    path = write_landsat(tmp_path / "a.tif", values, names=names)
    got, scene = read(path, sensor="landsat8", names=("blue", "green", "red"))
    assert np.array_equal(np.moveaxis(got, 0, -1), values[..., [2, 3, 0]])
    assert "bands are chosen by their descriptions: 3, 4, 1" in scene.notes


def test_units_of_bands_come_before_those_of_the_file(tmp_path):
    path = write_landsat(tmp_path / "a.tif", draw_landsat(4, 4))
    with rasterio.open(path, "r+") as target:
        target.units = ["W m-2 sr-1 um-1"] * 3
    assert read(path)[1].unit == "W m-2 sr-1 um-1"
    assert read(write_landsat(tmp_path / "b.tif", draw_landsat(4, 4), tags={}))[1].unit == ""


def test_a_file_that_is_no_raster_is_refused(tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0 and then nothing of the kind")
    with pytest.raises(RsforgeError) as caught:
        read(tmp_path / "a.tif")
    assert caught.value.code == "RSF-D002"


def test_a_folder_as_downloaded_is_one_scene_of_reflectance(tmp_path):
    path = write_product(tmp_path, tuple(f"SR_B{k}" for k in range(1, 8)))
    names = ("blue", "green", "red", "nir")
    with open_landsat(path, BandRequest(4, "landsat8", names)) as scene:
        assert scene.unit == "reflectance" and any("Collection 2" in note for note in scene.notes)
        values = scene.read(scene.info.whole)
        assert values[:, 1, 0] == pytest.approx([0.075, 0.1025, 0.13, 0.1575], abs=1e-6)
        assert np.isnan(values[:, 0]).all()


LEVEL1 = "LC08_L1TP_195025_20200601_20200825_02_T1"


@pytest.mark.parametrize("beside", [True, False])
def test_numbers_of_level_1_are_named(tmp_path, beside):
    """They are not those of Collection 2 Level 2, whose scale is asked for of other whole numbers."""
    numbers = draw_numbers()
    path = write_landsat(tmp_path / f"{LEVEL1}.tif", numbers, tags={})
    if beside:
        (tmp_path / f"{LEVEL1}_MTL.json").write_text("{}")
    with pytest.raises(RsforgeError, match="holds numbers of Landsat Level 1 and states no scale") as caught:
        read(path)
    named = f"{LEVEL1}_MTL.json beside it" if beside else f"{LEVEL1}_MTL.txt, which is not beside it"
    assert caught.value.code == "RSF-D010" and named in caught.value.fix and "collection2" not in caught.value.fix
    got, scene = read(path, values="training")
    assert "numbers of Landsat Level 1 are read as they are stored, not as reflectance" in scene.notes
    assert np.array_equal(np.moveaxis(got, 0, -1), numbers)
    got, scene = read(path, scale_offset=(2e-5, -0.1))
    assert not any("Level 1" in note for note in scene.notes)


def test_a_band_of_level_1_is_scaled_by_the_metadata_beside_it(tmp_path):
    path = write_landsat(tmp_path / f"{LEVEL1}_B2.tif", draw_numbers()[..., :1], tags={})
    with pytest.raises(RsforgeError, match="Level 1"):
        read(path, count=1)
    (tmp_path / f"{LEVEL1}_MTL.txt").write_text("REFLECTANCE_MULT_BAND_2 = 2E-5\nREFLECTANCE_ADD_BAND_2 = -0.1\n")
    got, scene = read(path, count=1)
    np.testing.assert_allclose(got[0], draw_numbers()[..., 0] * 2e-5 - 0.1, rtol=1e-5)
    assert "values are scaled by what it states, 2e-05 and -0.1 in its first band" in scene.notes
