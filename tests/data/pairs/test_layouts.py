"""The layouts of folders of pairs."""

from __future__ import annotations

import pytest

from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.layouts import find_layout, refuse_single_bands
from rsforge.errors import RsforgeError
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


def test_one_file_a_band_is_refused_by_name(tmp_path):
    touch(tmp_path, "S1/P1/P1_labels_metadata.json", "S1/P1/P1_VV.tif", "S2/Q1/Q1_labels_metadata.json")
    assert "BigEarthNet" in find_refused("RSF-D009", tmp_path).what


def test_a_declared_layout_is_not_looked_for(tmp_path):
    touch(tmp_path, "r_000/s1_000/1.png", "r_000/s2_000/1.png", "sar/1.png", "rgb/1.png")
    assert find_layout(tmp_path, "names").groups[0].sar.name == "sar"
    assert find_layout(tmp_path, "auto").name == "regions"


def test_the_bands_of_a_product_of_sentinel_2_are_no_plain_images(tmp_path):
    folder = tmp_path / "S2A.SAFE" / "GRANULE" / "L2A_T33" / "IMG_DATA" / "R10m"
    touch(folder, *(f"T33UXP_20240101_{band}_10m.jp2" for band in ("B02", "B03", "B04", "B08")))
    with pytest.raises(RsforgeError, match="one file a band") as refused:
        refuse_single_bands(tmp_path)
    order = [refused.value.fix.index(f"_{band}_10m") for band in ("B04", "B03", "B02")]
    assert order == sorted(order) and "--driver GTiff" in refused.value.fix  # else JPEG 2000 again, which loses
