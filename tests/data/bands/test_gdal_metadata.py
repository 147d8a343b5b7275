"""Metadata of GeoTIFFs: whatever way they say it, the same is meant."""

from __future__ import annotations

import pytest
import rasterio
from rasterio.enums import ColorInterp

from rsforge.data.io.rasters import read_info
from tests.worlds.awkward_images import colours, geotiff, tag_file

BGR = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)


@pytest.mark.parametrize(
    "said",
    [
        {"interp": BGR, "photometric": "MINISBLACK"},
        {"names": ("B02", "B03", "B04")},
        {"names": ("Blue", "Green", "Red")},
        {"tags": [{"wavelength": "490"}, {"wavelength": "560"}, {"wavelength": "665"}]},
        {"tags": [{"wavelength": "0.49"}, {"wavelength": "0.56"}, {"wavelength": "0.665"}]},
        {"tags": [{"Wavelengths (um)": text} for text in ("0.49", "0.56", "0.665")]},
        {"tags": [{"center_wavelength": text, "wavelength_units": "Nanometers"} for text in ("490", "560", "665")]},
    ],
)
def test_colours_are_told_by_interpretation_name_or_wavelength(tmp_path, said):
    info = read_info(geotiff(tmp_path / "a.tif", colours(0), **said))
    assert [meaning.role for meaning in info.meanings] == ["blue", "green", "red"]


def test_the_imagery_domain_is_heeded(tmp_path):
    path = geotiff(tmp_path / "a.tif", colours(0)[..., :1])
    with rasterio.open(path, "r+") as target:
        target.update_tags(1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM="0.842")
    assert read_info(path).meanings[0].wavelength_nm == pytest.approx(842)


def test_scale_offset_unit_fill_and_bad_bands_are_read(tmp_path):
    path = geotiff(
        tmp_path / "a.tif", colours(0).astype("int16"), scale=(0.0001, -0.1), nodata=-9, tags=[{"good_band": "False"}]
    )
    with rasterio.open(path, "r+") as target:
        target.units = ("dB", "", "")
    first, second, _ = read_info(path).meanings
    assert (first.scale, first.offset, first.unit, first.fill, first.good) == (0.0001, -0.1, "dB", -9, False)
    assert second.good and second.unit == ""


@pytest.mark.parametrize(
    ("tags", "dtype", "offset"),
    [
        ({"PROCESSING_BASELINE": "04.00"}, "uint16", -1000),
        ({"PROCESSING_BASELINE": "N0510"}, "uint16", -1000),
        ({"PROCESSING_BASELINE": "N0214"}, "uint16", 0),
        ({"PROCESSING_BASELINE": "05.10"}, "uint16", -1000),
        ({"PROCESSING_BASELINE": "02.14"}, "uint16", 0),
        ({"PROCESSING_BASELINE": "04.00", "HARMONIZED": "true"}, "uint16", 0),
        ({"BOA_ADD_OFFSET": "-1000"}, "uint16", -1000),
        ({"PROCESSING_BASELINE": "04.00"}, "float32", 0),
    ],
)
def test_the_baseline_of_sentinel_2_says_its_offset(tmp_path, tags, dtype, offset):
    path = geotiff(tmp_path / "a.tif", colours(0).astype(dtype))
    tag_file(path, **tags)
    assert {meaning.offset for meaning in read_info(path).meanings} == {offset}
