"""The layouts of folders of pairs."""

from __future__ import annotations

import pytest

from rsforge.data.files.stack_paths import name_bands
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.layouts import find_layout, holds_pair_folders
from tests.worlds import band_files
from tests.worlds.pair_folders import (
    find_refused,
    pair_names,
    touch,
)


def test_one_set_may_be_the_folder_itself(tmp_path):
    touch(tmp_path, "S1/1.png", "S2/1.png")
    index = find_pairs(tmp_path)
    assert index.layout == "terrain" and pair_names(index) == ["1"] and index.pairs[0].terrain == ""


@pytest.mark.parametrize(("sar", "optical"), [("sar", "optical"), ("SAR_ims", "op_ims"), ("Sentinel-1", "rgb")])
def test_usual_names_of_folders_are_known(tmp_path, sar, optical):
    touch(tmp_path, f"{sar}/1.png", f"{optical}/1.png", "labels/1.png")
    assert pair_names(find_pairs(tmp_path, layout="names")) == ["1"]


def test_folders_that_may_both_be_meant_are_not_guessed(tmp_path):
    touch(tmp_path, "S1GRD/1.png", "S1RTC/1.png", "S2/1.png")
    assert "S1GRD, S1RTC" in find_refused("RSF-D009", tmp_path).found
    touch(tmp_path / "o", "sar/1.png", "rgb/1.png", "optical/1.png")
    assert "optical, rgb" in find_refused("RSF-D009", tmp_path / "o").found


def test_nothing_to_pair_is_said_with_what_was_looked_for(tmp_path):
    find_refused("RSF-D001", tmp_path / "none")
    find_refused("RSF-D001", tmp_path)
    (tmp_path / "file").touch()
    find_refused("RSF-D001", tmp_path / "file")
    touch(tmp_path, "a/1.png", "b/1.png")
    error = find_refused("RSF-D009", tmp_path)
    assert error.found == "a, b" and "TERRAIN/s1" in error.fix
    touch(tmp_path / "t", "s1/1.png", "s2/2.png")
    assert "no partner" in find_refused("RSF-D009", tmp_path / "t").found
    touch(tmp_path / "e", "agri/s1/1.png", "agri/s2/1.png", "coast/s2/1.png")
    (tmp_path / "e/coast/s1").mkdir()
    error = find_refused("RSF-D009", tmp_path / "e", terrains=["coast"])
    assert error.what.endswith("there are no images in coast/s1") and "coast/s2/1.png" in error.found
    assert find_pairs(tmp_path / "e").empty_folders == ["coast/s1"]
    touch(tmp_path / "w", "one/s1.jpg", "one/s2.jpg")
    assert "rsforge data tile" in find_refused("RSF-D009", tmp_path / "w").fix
    find_refused("RSF-U005", tmp_path, layout="captions")


def test_the_folder_above_a_set_is_refused_with_the_set(tmp_path):
    touch(tmp_path, "AOI_11/SAR-Intensity/a_SAR-Intensity_1.tif", "AOI_11/PS-RGB/a_PS-RGB_1.tif")
    assert find_refused("RSF-D009", tmp_path).fix.endswith(str(tmp_path / "AOI_11"))


def test_a_declared_layout_is_not_looked_for(tmp_path):
    touch(tmp_path, "r_000/s1_000/1.png", "r_000/s2_000/1.png", "sar/1.png", "rgb/1.png")
    assert find_layout(tmp_path, "names").groups[0].sar.name == "sar"
    assert find_layout(tmp_path, "auto").name == "regions"


@pytest.mark.parametrize(
    ("sar", "optical"),
    [
        ("s1/{stem}_{band}.tif", "s2/{stem}_{band}.tif"),
        ("{stem}_{band}.tif", "{stem}_{band}.tif"),
        ("SAR/{band}/{stem}.tif", "PS-RGB/{stem}_{band}.tif"),
        ("{band}/{stem}.tif", "optical/{stem}_{band}.tif"),
        ("T/s1/{band}/{stem}.tif", "T/s2/{stem}_{band}.tif"),
        ("s1_{band}/{stem}.tif", "s2/{stem}_{band}.tif"),
        ("{band}_tiles/{stem}.tif", "optical_tiles/{stem}_{band}.tif"),
        ("a/s1_30_{band}/{stem}.tif", "a/s2_30/{stem}_{band}.tif"),
        ("S/s1/s1_{stem}_{band}.tif", "S/s2/s2_{stem}_{band}.tif"),
    ],
)
def test_sets_of_bands_pair_as_images_do(tmp_path, sar, optical):
    for n in range(4):
        band_files.radar(tmp_path, sar, stem=f"p{n}")
        band_files.optical(tmp_path, optical, stem=f"p{n}")
    index = find_pairs(tmp_path)
    assert len(index.pairs) == 4 and index.orphans == index.problems == []
    assert name_bands(index.pairs[0].sar) == ["VV", "VH"] and name_bands(index.pairs[0].optical) == [
        "B02",
        "B03",
        "B04",
        "B05",
    ]
    assert holds_pair_folders(tmp_path) or sar.startswith("{band}")


def test_folders_of_one_polarisation_are_read_as_the_remedy_says(tmp_path):
    touch(tmp_path, "s1_vv/1.png", "sar_vh/1.png", "s2/1.png")
    assert "VV and VH, or alike but for these words (s1_vv, s1_vh)" in find_refused("RSF-D009", tmp_path).fix
    for names in ({"sar_vh": "s1_vh"}, {"s1_vv": "VV", "s1_vh": "VH"}):
        for before, after in names.items():
            (tmp_path / before).rename(tmp_path / after)
        assert [name_bands(pair.sar) for pair in find_pairs(tmp_path).pairs] == [["VV", "VH"]]


def test_folders_of_polarisations_of_other_images_stay_apart(tmp_path):
    touch(tmp_path, "VV/1.png", "VH/2.png", "s2/1.png")
    assert "VH, VV" in find_refused("RSF-D009", tmp_path, layout="names").found
