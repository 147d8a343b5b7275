"""Bands named by number or description."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.data.io.band_choice import find_bands, name_bands
from rsforge.data.io.rasters import open_raster
from rsforge.errors import RsforgeError
from tests.worlds.rasters import ramp, write


def test_a_description_comes_before_a_number(tmp_path):
    names = ["VV", None, "1", "vh"]
    assert find_bands(tmp_path, ["vv", "2", "1", "VH"], name_bands(names)) == [0, 1, 2, 3]


@pytest.mark.parametrize("wanted", ["0", "5", "²", "HH", "9" * 5000])
def test_a_band_that_is_not_there_is_named_beside_those_that_are(tmp_path, wanted):
    with pytest.raises(RsforgeError) as refused:
        find_bands(tmp_path, [wanted], name_bands(["VV", "VH", None, "a"]))
    assert refused.value.code == "RSF-D003" and refused.value.found == "4 bands: 1 VV, 2 VH, 4 a"


def test_a_description_of_several_bands_names_none(tmp_path):
    with pytest.raises(RsforgeError, match="several bands 'B'"):
        find_bands(tmp_path, ["B"], name_bands(["B", "b"]))


def test_chosen_bands_are_read_in_order_and_others_make_no_pixel_valid(tmp_path):
    values = ramp(4, 5, 3, "float32") + 1
    values[0, 0, :2] = -9  # a third band alone holds data
    path = write(tmp_path / "a.tif", values, nodata=-9)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("VV", "VH", "angle")
    with open_raster(path, ["vh", "1"]) as raster:
        read = raster.read(raster.info.whole)
        assert raster.info.bands == 2 and raster.metadata.descriptions == ["VH", "VV"]
    np.testing.assert_array_equal(read.values, values[..., [1, 0]])
    assert not read.valid[0, 0] and read.valid.sum() == 19


def test_pictures_and_palettes_have_bands_by_number(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (4, 6, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    palette = write(tmp_path / "p.tif", ramp(4, 6, 1, "uint8"))
    with rasterio.open(palette, "r+") as file:
        file.write_colormap(1, {k: (k, 0, 2 * k, 255) for k in range(256)})
    for path, expected in ((tmp_path / "a.png", pixels[..., [2]]), (palette, 2 * ramp(4, 6, 1, "uint8"))):
        with open_raster(path, ["3"]) as raster:
            assert raster.info.bands == 1
            np.testing.assert_array_equal(raster.read(raster.info.whole).values, expected)
