"""Tables of pairs, read and written."""

from __future__ import annotations

import pytest

from rsforge.data.io.windows import Window
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.tables import COLUMNS, parse_coordinates, read_table, table_path, write_table
from tests.worlds.pair_folders import (
    HEAD,
    csv_row,
    find_refused,
    pair_names,
    touch_regions,
    write_csv,
)


def test_columns_of_patches_and_a_stray_index_are_understood(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2")
    head = f",{HEAD},scene,row,col,height,width"
    write_csv(
        tmp_path,
        f"0,{csv_row('img_p1')},Rome,256,512,128,128",
        f"1,{csv_row('img_p2')},Rome,,,,",
        head="\ufeff" + head,
    )
    first, second = find_pairs(tmp_path).pairs
    assert (first.scene, first.window) == ("Rome", Window(256, 512, 128, 128))
    assert (second.scene, second.window) == ("Rome", None)


def test_roundabout_names_in_a_table_mean_the_same_file(tmp_path):
    touch_regions(tmp_path, "img_p1")
    write_csv(tmp_path, csv_row("img_p1").replace("r_000\\s1_000/", "./r_000/s2_000/../s1_000//"))
    assert find_pairs(tmp_path).pairs[0].region == "temperate"


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "C:\\secret.png", "r_000/../../x.png", ""])
def test_a_table_may_not_name_files_outside(tmp_path, name):
    root = tmp_path / "data"
    touch_regions(root, "img_p1")
    write_csv(root, f"{name},r_000/s2_000/img_p1.png" + "," * 9)
    assert find_refused("RSF-D005", root).where.endswith("data_r_000.csv:2")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a,b\n1,2\n", "no columns"),
        (HEAD.encode() + b"\nr_000/s1_000/\xff.png,x\n", "not UTF-8"),
        (b's1_fileName,s2_fileName\n"' + b"x" * 200_000 + b'",y\n', "not CSV"),
        (b"s1_fileName,s2_fileName,row,col,height,width\nr_000/s1_000/a.png,b,1,2,3,\n", "window"),
        (b"s1_fileName,s2_fileName,row,col,height,width\nr_000/s1_000/a.png,b,1,2,0,4\n", "window"),
        (b"s1_fileName,s2_fileName,row,col,height,width\nr_000/s1_000/a.png,b,1,2,x,4\n", "window"),
    ],
)
def test_an_unusable_table_is_named(tmp_path, data, why):
    touch_regions(tmp_path, "img_p1")
    (tmp_path / "data_r_000.csv").write_bytes(data)
    error = find_refused("RSF-D006", tmp_path)
    assert why in error.what and "data_r_000.csv" in error.where


def test_an_empty_table_tells_nothing(tmp_path):
    touch_regions(tmp_path, "img_p1")
    (tmp_path / "data_r_000.csv").touch()
    assert pair_names(find_pairs(tmp_path)) == ["r_000/img_p1"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("(12.49, 41.9)", (12.49, 41.9)),
        ("[-1e1,+5.]", (-10, 5)),
        ("12, 41", (12, 41)),
        ("(181, 0)", None),
        ("(0, 91)", None),
        ("(nan, 1)", None),
        ("__import__('os')", None),
        ("(1, 2, 3)", None),
        ("", None),
    ],
)
def test_coordinates_are_parsed_never_run(text, place):
    assert parse_coordinates(text) == place


def test_a_table_is_read_as_written(tmp_path):
    rows = [{"s1_fileName": "r/ä,\"1\".png", "s2_fileName": "r/b.png", "coordinates": "(1.5, -2.0)", "scene": "x",
             "row": 0, "col": 8, "height": 8, "width": 8}]  # fmt: skip
    path = table_path(tmp_path, "r")
    write_table(path, rows)
    assert path.name == "data_r.csv" and path.read_text().splitlines()[0] == ",".join(COLUMNS)
    (read,) = read_table(tmp_path, path)
    assert read.sar == tmp_path / "r" / 'ä,"1".png' and read.window == Window(0, 8, 8, 8)
    assert read.coordinates == (1.5, -2.0) and read.where.endswith(":2")
