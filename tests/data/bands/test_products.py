"""Bands of products mean what the names of their files say."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.bands.products import (
    explain_level1,
    find_baseline,
    find_central_wavelength,
    find_scale,
    is_collection2,
    is_surface_band,
)
from rsforge.data.io.rasters import open_raster, read_info
from rsforge.data.views.settle import Request, settle_view
from rsforge.data.views.view import View, read_view
from tests.worlds.band_files import PRODUCT, write_product
from tests.worlds.rasters import write


@pytest.mark.parametrize(
    ("file", "description", "dtype", "scale"),
    [
        (f"x/{PRODUCT}_SR_B2.TIF", None, "uint16", (0.0000275, -0.2)),
        (f"{PRODUCT}.tif", "SR_B2", "uint16", (0.0000275, -0.2)),
        (f"{PRODUCT}_ST_B10.TIF", None, "uint16", None),  # a temperature
        (f"{PRODUCT}_QA_PIXEL.TIF", None, "uint16", None),
        (f"{PRODUCT}_SR_B2.TIF", None, "float32", None),  # scaled by somebody already
        ("LC08_L1TP_190024_20200518_20200820_02_T1_B2.TIF", None, "uint16", None),
        ("SR_B2.tif", None, "uint16", None),
    ],
)
def test_only_surface_reflectance_of_collection_2_has_its_scale(file, description, dtype, scale):
    assert find_scale(file, description, dtype) == scale


def test_names_tell_the_sensor():
    assert find_central_wavelength(f"a/{PRODUCT}_SR_B4.TIF") == 655
    assert find_central_wavelength("LE07_L1TP_190024_20000518_20200820_02_T1_B4.TIF") == 830
    assert find_central_wavelength("LC08_L1TP_224077_20200518_20200518_01_RT_B2_60m.TIF") == 482
    assert find_central_wavelength("scene_B4.TIF") is None
    assert is_collection2(f"{PRODUCT}.tif") and is_surface_band("SR_B7") and not is_surface_band("ST_B10")


def test_numbers_are_reflectance_and_0_is_no_data(tmp_path):
    path = write_product(tmp_path)
    read = read_view(path, View(), "optical")
    assert read.values[1, 0] == pytest.approx([0.13, 0.1025, 0.075], abs=1e-6)  # red, green, blue
    assert not read.valid[0].any() and read.valid[1:].all() and read.info.nodata == 0
    (said, *_) = (note for note in settle_view([path], Request(), "optical").notes if "scale" in note)
    assert said.startswith("values are scaled as metadata or the names of products say: scale 2.75e-05 and offset -0.2")


def test_what_a_file_declares_counts(tmp_path):
    path = write_product(tmp_path, nodata=7)
    assert read_info(path).nodata == 7
    with open_raster(path) as raster:  # patches that are cut from it have other names
        assert raster.metadata.scales == [0.0000275] * 3 and raster.metadata.offsets == [-0.2] * 3


def test_seven_bands_of_landsat_8_have_colours(tmp_path):
    path = write_product(tmp_path, tuple(f"SR_B{k}" for k in range(1, 8)))
    roles = [meaning.role for meaning in read_info(path).meanings]
    assert roles[1:4] == ["blue", "green", "red"] and roles.count("red") == 1


_GRANULE = "S2B_MSIL2A_20230601T100029_{baseline}_R122_T33UXP_20230601T132310.SAFE/GRANULE/L2A/IMG_DATA"
_JPEG = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}


@pytest.mark.parametrize(
    ("file", "baseline"),
    [
        (f"{_GRANULE.format(baseline='N0509')}/R10m/T33UXP_20230601T100029_B04_10m.jp2", 5),
        (f"{_GRANULE.format(baseline='N0214')}/T33UXP_20230601T100029_B8A.jp2", 2),
        (f"{_GRANULE.format(baseline='N0509')}/T33UXP_20230601T100029_B04.tif", None),  # what somebody made of it
        (f"{_GRANULE.format(baseline='N0509')}/T33UXP_20230601T100029_SCL_20m.jp2", None),
        ("R10m/T33UXP_20230601T100029_B04_10m.jp2", None),
    ],
)
def test_bands_in_the_folders_of_a_product_have_its_baseline(file, baseline):
    assert find_baseline(file) == baseline


def test_numbers_of_sentinel_2_lose_1000_where_the_product_says_so_and_0_is_no_data(tmp_path):
    for baseline, offset in (("N0509", -1000), ("N0214", 0)):
        folder = tmp_path / _GRANULE.format(baseline=baseline) / "R10m"
        folder.mkdir(parents=True)
        for band in ("B02", "B03", "B04"):
            values = np.full((16, 16, 1), 1000 + 100 * int(band[1:]), np.uint16)
            values[0] = 0
            write(folder / f"T33UXP_20230601T100029_{band}_10m.jp2", values, **_JPEG)
        path = folder / "T33UXP_20230601T100029_{B02_10m,B03_10m,B04_10m}.jp2"
        read = read_view(path, View(), "optical")
        assert read.values[5, 5].tolist() == [1400 + offset, 1300 + offset, 1200 + offset]
        assert not read.valid[0].any() and read.valid[1:].all()
        with open_raster(path) as raster:
            assert raster.metadata.offsets == [offset] * 3  # which patches keep


LEVEL1 = "LC08_L1TP_190024_20200518_20200820_02_T1"


def write_level1(folder, *, metadata=True):
    """A set of three bands of numbers 10000 and 0, and its metadata."""
    for band in (2, 3, 4):
        write(folder / f"{LEVEL1}_B{band}.TIF", np.array([[0, 10000]] * 4, np.uint16)[..., None])
    lines = [f"  REFLECTANCE_{what}_BAND_{band} = {value}" for band in (2, 3, 4)
             for what, value in (("MULT", 1e-5 * band), ("ADD", -0.1))]  # fmt: skip
    if metadata:
        (folder / f"{LEVEL1}_MTL.txt").write_text("GROUP = LEVEL1\n" + "\n".join(lines) + "\nEND\n")
    return folder / f"{LEVEL1}_{{B2,B3,B4}}.TIF"


def test_numbers_of_level_1_are_reflectance_by_the_metadata_beside_them(tmp_path):
    path = write_level1(tmp_path)
    read = read_view(path, View(), "optical")
    assert read.values[0, 1] == pytest.approx([0.3, 0.2, 0.1], abs=1e-6)  # red, green, blue
    assert not read.valid[:, 0].any() and read.valid[:, 1].all()
    notes = settle_view([path], Request(), "optical").notes
    assert any("scale 2e-05 and offset -0.1" in note for note in notes) and not any("Level 1" in note for note in notes)
    thermal = write(tmp_path / f"{LEVEL1}_B10.TIF", np.full((4, 4, 1), 9, np.uint16))
    assert read_info(thermal).meanings[0].scale == 1 and read_info(thermal).nodata is None
    (tmp_path / f"{LEVEL1}_MTL.txt").write_text("REFLECTANCE_MULT_BAND_2 = 2.0E-05\nREFLECTANCE_ADD_BAND_2 = much\n")
    assert find_scale(str(tmp_path / f"{LEVEL1}_B2.TIF"), None, "uint16") is None


def test_numbers_of_level_1_without_metadata_are_named(tmp_path):
    path = write_level1(tmp_path, metadata=False)
    assert read_info(path).meanings[0].scale == 1
    (said,) = (note for note in settle_view([path], Request(), "optical").notes if "Level 1" in note)
    assert said.endswith(f"not as reflectance: {LEVEL1}_MTL.txt is not beside them")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("", "gives no scale of band 2"),
        ("REFLECTANCE_MULT_BAND_2 = 2E-05\nREFLECTANCE_ADD_BAND_2 = much", "gives no scale of band 2"),
        ("REFLECTANCE_MULT_BAND_2 = nan\nREFLECTANCE_ADD_BAND_2 = 0", "gives no scale of band 2"),
        ("REFLECTANCE_MULT_BAND_2 = 0\nREFLECTANCE_ADD_BAND_2 = 0", "gives no scale of band 2"),
        ("REFLECTANCE_MULT_BAND_2 = 1\nREFLECTANCE_ADD_BAND_2 = -1e999", "gives no scale of band 2"),
        (f'LANDSAT_PRODUCT_ID = "{LEVEL1[:-1]}2"', f"is that of another product, {LEVEL1[:-1]}2"),
        (f'LANDSAT_PRODUCT_ID = "{LEVEL1}"\nREFLECTANCE_MULT_BAND_2 = 1\nREFLECTANCE_ADD_BAND_2 = 0', ""),
    ],
)
def test_metadata_of_level_1_that_give_no_scale_are_named_with_the_reason(tmp_path, lines, reason):
    path = write_level1(tmp_path, metadata=False)
    (tmp_path / f"{LEVEL1}_MTL.txt").write_text(lines)
    file = str(tmp_path / f"{LEVEL1}_B2.TIF")
    assert explain_level1(file) == (reason and f"{LEVEL1}_MTL.txt {reason}")
    assert find_scale(file, None, "uint16") == (None if reason else (1, 0))
    notes = [note for note in settle_view([path], Request(), "optical").notes if "Level 1" in note]
    assert (reason or "gives no scale of band 3") in notes[0] and ("band 2" in notes[0]) == ("band 2" in reason)
    assert explain_level1(file.replace("_B2", "_B10")) == ""
