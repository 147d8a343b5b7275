"""The band that the name of a file says, and what is left of the name."""

from pathlib import Path

import pytest

from rsforge.data.files.band_names import read_band_name


@pytest.mark.parametrize(
    ("name", "band", "template"),
    [
        ("P_VV.tif", "VV", "P_\0.tif"),
        ("s1a-iw-grd-vh-20200101-002.tiff", "VH", "s1a-iw-grd-\0-20200101-\0.tiff"),
        ("T32UQD_20200101T101021_B04_10m.jp2", "B04", "T32UQD_20200101T101021_\0.jp2"),
        ("LC08_L2SP_193023_20200101_02_T1_SR_B2.TIF", "B2", "LC08_L2SP_193023_20200101_02_T1_SR_\0.TIF"),
        ("lc08_l2sp_193023_20200101_02_t1_sr_b2.tif", "B2", "lc08_l2sp_193023_20200101_02_t1_sr_\0.tif"),
    ],
)
def test_a_band_is_known_by_its_word(name, band, template):
    found = read_band_name(Path("a") / name)
    assert (found.band, found.template, found.place) == (band, f"a/{template}", Path("a"))


@pytest.mark.parametrize("name", ["town_B1.png", "P_VV_VH.tif", "block_b2.tif", "scene.tif", "VVX.tif"])
def test_other_names_say_no_band(name):
    assert read_band_name(Path("a") / name) is None


def test_folders_named_by_the_band_or_the_size_of_pixels_are_no_places_of_images():
    polarisation, resolution = read_band_name(Path("s/VV/a.tif")), read_band_name(Path("s/R20m/T_B05_20m.jp2"))
    assert (polarisation.place, polarisation.words) == (Path("s"), ("VV",))
    assert (resolution.place, resolution.metres) == (Path("s"), 20)
