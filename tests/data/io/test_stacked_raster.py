"""Files of one band each are read as one raster."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsforge.data.files.digests import file_digest
from rsforge.data.files.walk import find_images
from rsforge.data.io.image_reader import UnreadableError, read_bytes
from rsforge.data.io.rasters import open_raster, read_info, read_raster
from rsforge.data.io.windows import Window
from rsforge.data.views.view import BandsError, View, open_view
from tests.worlds import band_files
from tests.worlds.rasters import NORTH_UP, UTM, ramp, write


def test_values_are_those_of_the_files_in_the_order_of_the_bands(tmp_path):
    band_files.radar(tmp_path, bands=("VH", "VV"))
    path = tmp_path / "p_{VV,VH}.tif"
    whole = read_raster(path)
    for k, band in enumerate(("VV", "VH")):
        with rasterio.open(tmp_path / f"p_{band}.tif") as source:
            assert np.array_equal(whole.values[..., k], source.read(1))
    assert [meaning.role for meaning in whole.info.meanings] == ["vv", "vh"] and whole.info.path == path
    assert whole.info.grid is not None and whole.info.bands == 2 and whole.info.dtype == "float32"
    with open_raster(path) as raster:
        part = raster.read(Window(3, 5, 4, 2))
        assert np.array_equal(part.values, whole.values[3:7, 5:7]) and raster.metadata.descriptions == ["VV", "VH"]


def test_bands_of_other_pixels_are_left_out_and_refused_when_asked_for(tmp_path):
    band_files.optical(tmp_path)
    path = tmp_path / "p_{B02,B03,B04,B05}.tif"
    info = read_info(path)
    assert (info.bands, info.left_out) == (3, ("B05",))
    assert [meaning.role for meaning in info.meanings] == ["blue", "green", "red"]
    with open_view(path, View(), "optical") as raster:
        assert (raster.read(raster.info.whole).values // 100).max(axis=(0, 1)).tolist() == [4, 3, 2]
    with pytest.raises(BandsError, match="B05 of its files lie") as refused, open_view(path, View(("B05",)), "optical"):
        pass
    assert "add the file" in refused.value.fix


def test_finer_pixels_of_one_band_alone_do_not_choose_the_grid(tmp_path):
    band_files.optical(tmp_path, bands=("B02", "B03"), transform=NORTH_UP)
    write(tmp_path / "p_B08.tif", ramp(32, 32, 1, "uint16"), transform=NORTH_UP @ Affine.scale(0.5))
    info = read_info(tmp_path / "p_{B02,B03,B08}.tif")
    assert (info.bands, info.left_out, info.height) == (2, ("B08",), 16)
    info = read_info(tmp_path / "p_{B02,B08}.tif")
    assert (info.left_out, info.height) == (("B02",), 32)


def test_three_files_have_no_order_in_which_they_could_be_colours(tmp_path):
    for band in ("band1", "band2", "band3"):
        write(tmp_path / f"p_{band}.tif", ramp(4, 4, 1, "uint8") + int(band[-1]))
    path = tmp_path / "p_{band1,band2,band3}.tif"
    with pytest.raises(BandsError, match="red, green and blue are not known"), open_view(path, View(), "optical"):
        pass
    with open_view(path, View(("3", "2", "1")), "optical") as raster:
        assert raster.read(raster.info.whole).values[0, 0].tolist() == [3, 2, 1]


def test_bands_that_are_not_read_are_not_decoded(tmp_path):
    band_files.radar(tmp_path)
    data = (tmp_path / "p_VH.tif").read_bytes()
    path = tmp_path / "p_{VV,VH}.tif"
    with open_raster(path, ["VV"]) as raster:
        (tmp_path / "p_VH.tif").write_bytes(data[: len(data) // 2])
        assert raster.read(raster.info.whole).values.shape == (16, 16, 1)


@pytest.mark.parametrize("fault", ["missing", "bands", "name"])
def test_what_is_no_band_of_the_set_is_named(tmp_path, fault):
    band_files.radar(tmp_path)
    broken = tmp_path / "p_VH.tif"
    if fault == "missing":
        broken.unlink()
    elif fault == "bands":
        write(broken, ramp(16, 16, 2, "float32"))
    else:
        with rasterio.open(broken, "r+") as target:
            target.set_band_description(1, "VV")
    reasons = {"missing": "No such file", "bands": "one band VH of a set and has 2 bands", "name": "that it holds VV"}
    with pytest.raises(UnreadableError, match=reasons[fault]):
        read_info(tmp_path / "p_{VV,VH}.tif")


def test_pictures_of_polarisations_in_colours_are_grey(tmp_path):
    for k, band in enumerate(("vv", "vh")):
        (tmp_path / band).mkdir()
        grey = ramp(16, 16, 1, "uint8") // 2 + 50 * k
        Image.fromarray(np.repeat(grey, 3, axis=2)).save(tmp_path / band / f"a_{band}.png")
    (path,) = find_images(tmp_path)
    read = read_raster(path)
    assert read.values.shape == (16, 16, 2) and [meaning.role for meaning in read.info.meanings] == ["vv", "vh"]
    assert np.array_equal(read.values[..., 1], read.values[..., 0] + 50)


def test_a_band_alone_is_told_from_its_set(tmp_path):
    band_files.radar(tmp_path)
    with pytest.raises(BandsError) as refused, open_view(tmp_path / "p_VV.tif", View(("vv", "vh")), "sar"):
        pass
    assert "p_{VV,VH}.tif' in quotes" in refused.value.fix and refused.value.error.fix == refused.value.fix
    band_files.radar(tmp_path / "alone", bands=("VV",))
    with pytest.raises(BandsError) as refused, open_view(tmp_path / "alone/p_VV.tif", View(("vv", "vh")), "sar"):
        pass
    assert "set" not in refused.value.fix


def test_a_pixel_holds_data_where_any_band_does(tmp_path):
    for k, band in enumerate(("VV", "VH")):
        values = np.full((4, 4, 1), 5, np.float32)
        values[0], values[1, k], values[2, 0] = 0, 0, np.nan if k else 5
        write(tmp_path / f"p_{band}.tif", values, nodata=0, crs=UTM)
    valid = read_raster(tmp_path / "p_{VV,VH}.tif").valid
    assert not valid[0].any() and valid[1].all() and valid[2].tolist() == [False, True, True, True]


def test_the_digest_of_a_set_is_that_of_all_its_files(tmp_path):
    band_files.radar(tmp_path)
    path = tmp_path / "p_{VV,VH}.tif"
    before, data = file_digest(path), read_bytes(path)
    band_files.radar(tmp_path, stem="q")
    (tmp_path / "q_VH.tif").replace(tmp_path / "p_VH.tif")
    assert file_digest(path) != before and read_bytes(path) != data
