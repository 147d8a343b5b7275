"""Which files are bands of one image, by the names that products give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.files.stack_paths import find_members
from rsforge.data.files.stacks import stack_files
from rsforge.errors import RsforgeError

ROOT = Path("/data")


def stack(*names: str) -> tuple[list[str], list[str]]:
    """The images of files of these names, and what lies beside them."""
    found = stack_files([ROOT / name for name in names])
    return tuple([path.relative_to(ROOT).as_posix() for path in paths] for paths in (found.images, found.beside))


@pytest.mark.parametrize(
    ("names", "image"),
    [
        (["S1_RTC30_1A2B_VH.tif", "S1_RTC30_1A2B_VV.tif"], "S1_RTC30_1A2B_{VV,VH}.tif"),
        (["s1a-iw-grd-vv-1-001.tiff", "s1a-iw-grd-vh-1-002.tiff"], "s1a-iw-grd-{vv,vh}-1-{001,002}.tiff"),
        ([f"P_B{n}.tif" for n in ("11", "8A", "02", "08", "09")], "P_{B02,B08,B8A,B09,B11}.tif"),
        (["VH/a.tif", "VV/a.tif"], "{VV,VH}/a.tif"),
        (["vv/a_vv.png", "vh/a_vh.png"], "{vv,vh}/a_{vv,vh}.png"),
        (["s1_vh/a.tif", "s1_vv/a.tif"], "s1_{vv,vh}/a.tif"),
        (["hh_tiles/a_hh.tif", "hv_tiles/a_hv.tif"], "{hh,hv}_tiles/a_{hh,hv}.tif"),
        (["S/B02.tif", "S/B03.tif"], "S/{B02,B03}.tif"),
        (["s1a-iw-grd-vv-1-001-cog.tiff", "s1a-iw-grd-vh-1-002-cog.tiff"], "s1a-iw-grd-{vv,vh}-1-{001,002}-cog.tiff"),
        (["R10m/T_B04_10m.jp2", "R20m/T_B05_20m.jp2"], "{R10m,R20m}/T_{B04_10m,B05_20m}.jp2"),
        (["R20m/T_B04_20m.jp2", "R20m/T_B05_20m.jp2"], "R20m/T_{B04_20m,B05_20m}.jp2"),
        (["lc09_l2sp_1_sr_b2.tif", "lc09_l2sp_1_sr_b3.tif"], "lc09_l2sp_1_sr_{b2,b3}.tif"),
        (["t33uxp_20230601t100031_b8a.tif", "t33uxp_20230601t100031_b04.tif"], "t33uxp_20230601t100031_{b04,b8a}.tif"),
        (["HLS.v2.0.B04.tif", "HLS.v2.0.B03.tif"], "HLS.v2.0.{B03,B04}.tif"),
        (["s_blue.tif", "s_nir.tif", "s_red.tif", "s_green.tif"], "s_{red,green,blue,nir}.tif"),
        ([f"a_{c}/{c}_1.TIF" for c in ("red", "blue", "green")], "a_{red,green,blue}/{red,green,blue}_1.TIF"),
        (["s_band10.tif", "s_band2.tif"], "s_{band2,band10}.tif"),
        (["Red_Sea_B02.tif", "Red_Sea_B03.tif"], "Red_Sea_{B02,B03}.tif"),
        (["a_hh_x.tif", "a_hv_x.tif"], "a_{hh,hv}_x.tif"),
    ],
)
def test_files_that_differ_in_a_band_are_one_image_in_the_order_of_its_bands(names, image):
    assert stack(*names) == ([image], [])
    assert {path.as_posix() for path in find_members(Path(image))} == set(names)


def test_what_belongs_to_a_set_and_is_no_band_lies_beside_it():
    assert stack("P_VV.tif", "P_VH.tif", "P_inc_map.tif", "P_dem.tif", "P_rgb.tif") == (
        ["P_{VV,VH}.tif"],
        ["P_inc_map.tif", "P_dem.tif", "P_rgb.tif"],
    )
    product = [f"LC08_T1_{band}.TIF" for band in ("SR_B1", "SR_B2", "ST_B10", "QA_PIXEL")]
    assert stack(*product) == (["LC08_T1_SR_{B1,B2}.TIF"], ["LC08_T1_ST_B10.TIF", "LC08_T1_QA_PIXEL.TIF"])
    assert stack("T_B04_10m.jp2", "T_B03_10m.jp2", "T_B04_20m.jp2", "T_TCI_10m.jp2")[1] == [
        "T_B04_20m.jp2", "T_TCI_10m.jp2",
    ]  # fmt: skip


def test_a_preview_named_as_the_product_lies_beside_rasters():
    assert stack("P_VV.tif", "P_VH.tif", "P.png") == (["P_{VV,VH}.tif"], ["P.png"])
    assert stack("P_VV.png", "P_VH.png", "P.png")[0] == ["P_{VV,VH}.png", "P.png"]
    assert stack("P_VV.tif", "P_VH.tif", "P.tif")[0] == ["P_{VV,VH}.tif", "P.tif"]


@pytest.mark.parametrize(("other", "renamed"), [("P_VH.tiff", "P_VH.tif"), ("P_VH.TIF", "P_VH.tif")])
def test_suffixes_that_differ_are_refused_with_names_that_do_not(other, renamed):
    with pytest.raises(RsforgeError, match="their suffixes differ") as refused:
        stack("P_VV.tif", other)
    assert refused.value.fix.endswith(renamed) and stack("P_VV.tif", renamed)[0] == ["P_{VV,VH}.tif"]
    assert stack("P_VV.tif", "P_VH.tif", "P_VV.tiff", "P_VH.tiff")[0] == ["P_{VV,VH}.tif", "P_{VV,VH}.tiff"]


def test_the_other_side_of_a_pair_does_not_lie_beside():
    assert stack("P_VV.tif", "P_VH.tif", "P_s2.tif")[0] == ["P_{VV,VH}.tif", "P_s2.tif"]
    assert stack("VV_P.tif", "VH_P.tif", "rgb_P.tif")[0] == ["{VV,VH}_P.tif", "rgb_P.tif"]
    assert stack("P_VV.tif", "P_VH.tif", "P_B02.tif", "P_B03.tif")[0] == ["P_{VV,VH}.tif", "P_{B02,B03}.tif"]


def test_a_single_file_among_sets_is_a_set_that_lacks_a_band():
    assert stack("P_VV.tif", "P_VH.tif", "Q_VV.tif")[0] == ["P_{VV,VH}.tif", "Q_{VV}.tif"]


@pytest.mark.parametrize(
    "names",
    [
        ["P_VV.tif", "Q_VV.tif"],  # one polarisation of each scene
        ["town_B1.png", "town_B2.png"],  # blocks of a picture
        ["P_b1.tif", "P_b2.tif"],
        ["roof_red.tif", "roof_blue.tif"],
        ["s_red.png", "s_green.png", "s_blue.png"],
        ["P_b09.tif", "P_b10.tif"],
        ["P_VV_VH.tif", "Q_VV_VH.tif"],
        ["a.tif", "b.tif", "c.tif", "d.tif", "e_B1.tif", "e_B2.tif"],
        ["B1/a.tif", "B2/a.tif"],  # classes
    ],
)
def test_names_that_only_look_like_bands_are_images(names):
    assert stack(*names) == (names, [])


def test_folders_of_other_words_or_names_stay_apart():
    for names in (["s1_vv/a.tif", "s2_vh/a.tif"], ["s1_vv/a.tif", "s1_vh/b.tif"], ["hh_vh_x/a.tif", "vv_vh_x/a.tif"]):
        assert stack(*names) == (names, [])
    assert stack("s1_vv/a_vv.tif", "s1_vv/a_hh.tif") == (["s1_vv/a_vv.tif", "s1_vv/a_hh.tif"], [])
