"""The path that stands for a set of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.files.stack_paths import find_members, is_file, is_radar, is_stack, list_files, name_bands, name_whole


def test_a_path_names_its_files_and_their_bands():
    path = Path("a/s1a-iw-grd-{vv,vh}-2020-{001,002}.tiff")
    assert [str(one) for one in find_members(path)] == [
        "a/s1a-iw-grd-vv-2020-001.tiff",
        "a/s1a-iw-grd-vh-2020-002.tiff",
    ]
    assert name_bands(path) == ["VV", "VH"] and is_radar(path) and is_stack(path.name)
    sizes = Path("{R10m,R20m}/T_{B04_10m,B8A_20m}.jp2")
    assert name_bands(sizes) == ["B04", "B8A"] and not is_radar(sizes) and name_whole(str(sizes)) == "T.jp2"
    assert name_bands(Path("T_{B04_10m,B8A_20m}.jp2")) == ["B04", "B8A"] and not is_radar("T_{B04,B8A}.tif")


@pytest.mark.parametrize("name", ["a.tif", "{a,b}.tif", "p_{VV,b}.tif", "{VV,VH}_{1}.tif", "p_{}.tif", "p_{1,2}.tif"])
def test_other_braces_are_part_of_a_name(name):
    assert not is_stack(name) and find_members(Path(name)) == [] and name_bands(Path(name)) == []
    assert list_files(Path(name)) == [Path(name)] and name_whole(name) == name


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("a/P_{VV,VH}.tif", "a/P.tif"),
        ("{VV,VH}/a.tif", "a.tif"),
        ("S/{B02,B03}.tif", "S/S.tif"),
        ("{vv,vh}/{vv,vh}_7.png", "7.png"),
        ("x-{vv}-2020-{001}.tiff", "x-2020.tiff"),
        ("{VV,VH}.tif", "image.tif"),
    ],
)
def test_a_set_is_called_by_what_its_files_share(name, whole):
    assert name_whole(name) == whole


def test_a_set_is_there_when_all_its_files_are(tmp_path):
    (tmp_path / "P_VV.tif").touch()
    assert is_file(tmp_path / "P_VV.tif") and not is_file(tmp_path / "P_{VV,VH}.tif")
    (tmp_path / "P_VH.tif").touch()
    assert is_file(tmp_path / "P_{VV,VH}.tif")
