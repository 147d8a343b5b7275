from __future__ import annotations

import os
from pathlib import Path

import pytest
from affine import Affine

from rsforge.data.io.dataset_card import write_card
from rsforge.data.io.windows import Window
from rsforge.data.pairs.index import find_pairs
from rsforge.data.pairs.layouts import find_layout
from rsforge.data.pairs.names import match_names, natural_key, strip_token
from rsforge.data.pairs.tables import COLUMNS, parse_coordinates, read_table, table_path, write_table
from rsforge.errors import RsforgeError
from tests.worlds.rasters import NORTH_UP, ramp, write

HEAD = "s1_fileName,s2_fileName,coordinates,country,date-time,scale,region,season,operational-mode,polarisation,bands"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not opened")


def regions(root: Path, *stems: str, folder: str = "000") -> None:
    for stem in stems:
        touch(root, f"r_{folder}/s1_{folder}/{stem}.png", f"r_{folder}/s2_{folder}/{stem}.png")


def told(root: Path, *rows: str, head: str = HEAD, folder: str = "r_000") -> Path:
    table = root / f"data_{folder}.csv"
    table.write_text("\n".join([head, *rows, ""]), "utf-8")
    return table


def names(index) -> list[str]:
    return [pair.name for pair in index.pairs]


def refused(code: str, root: Path, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        find_pairs(root, **options)
    assert caught.value.code == code
    return caught.value


ROW = "{s1},{s2},\"(12.49, 41.9)\",IT,2023-09-29T23:59:59Z,10,{region},{season},IW,VV,\"('B02', 'B03', 'B04')\""


def row(stem: str, region: str = "temperate", season: str = "fall", folder: str = "000") -> str:
    """As Windows writes it: separators of both kinds."""
    s1, s2 = (f"r_{folder}\\s{n}_{folder}/{stem}.png" for n in (1, 2))
    return ROW.format(s1=s1, s2=s2, region=region, season=season)


def test_regions_are_joined_with_their_tables(tmp_path):
    regions(tmp_path, "img_p1", "img_p2", "img_p10")
    regions(tmp_path, "img_p0", folder="001")
    told(tmp_path, row("img_p10", season="Autumn"), row("img_p1"), row("img_p2", region="nan", season=""))
    told(tmp_path, folder="r_001")
    index = find_pairs(tmp_path)
    assert index.layout == "regions" and names(index) == [f"r_000/img_p{n}" for n in (1, 2, 10)] + ["r_001/img_p0"]
    assert [(p.region, p.season) for p in index.pairs[:3]] == [("temperate", "fall"), ("", ""), ("temperate", "fall")]
    first, last = index.pairs[0], index.pairs[3]
    assert first.coordinates == (12.49, 41.9) and first.country == "IT" and first.window is None
    assert first.sar == tmp_path / "r_000/s1_000/img_p1.png" and first.optical == tmp_path / "r_000/s2_000/img_p1.png"
    assert len({p.scene for p in index.pairs[:3]}) == 1 and "r_000" in first.scene
    assert (last.scene, last.coordinates, last.region) == ("", None, "")
    assert index.orphans == [] and index.problems == [] and "regions" in index.notes[0]


def test_regions_without_tables_pair_by_folder(tmp_path):
    regions(tmp_path, "img_p1")
    touch(tmp_path, "r_000/s1_000/.hidden.png", "r_000/s1_000/.tmp-1-img_p3.png", "r_000/s1_000/notes.txt")
    assert names(find_pairs(tmp_path)) == ["r_000/img_p1"]


def test_columns_of_patches_and_a_stray_index_are_understood(tmp_path):
    regions(tmp_path, "img_p1", "img_p2")
    head = f",{HEAD},scene,row,col,height,width"
    told(tmp_path, f"0,{row('img_p1')},Rome,256,512,128,128", f"1,{row('img_p2')},Rome,,,,", head="\ufeff" + head)
    first, second = find_pairs(tmp_path).pairs
    assert (first.scene, first.window) == ("Rome", Window(256, 512, 128, 128))
    assert (second.scene, second.window) == ("Rome", None)


def test_missing_files_and_rows_are_listed(tmp_path):
    regions(tmp_path, "img_p1", "img_p2", "img_p3")
    (tmp_path / "r_000/s2_000/img_p3.png").unlink()
    told(tmp_path, row("img_p1"), row("img_p9"), row("img_p1", season="winter"))
    index = find_pairs(tmp_path)
    assert names(index) == ["r_000/img_p1", "r_000/img_p2"] and index.pairs[0].season == "fall"
    assert ("r_000/s1_000/img_p3.png", "s2_000 has no partner of it") in index.orphans
    assert {name for name, why in index.orphans if "data_r_000.csv:3" in why} == {
        "r_000/s1_000/img_p9.png",
        "r_000/s2_000/img_p9.png",
    }
    assert ("data_r_000.csv:4", "r_000/s1_000/img_p1.png was named before") in index.problems
    assert ("data_r_000.csv", "1 of 2 pairs have no row") in index.problems


def test_a_row_that_pairs_other_names_is_not_believed(tmp_path):
    regions(tmp_path, "img_p1", "img_p2")
    regions(tmp_path, "img_p1", folder="001")
    s1, s2 = "r_000/s1_000/img_p1.png", "r_000/s2_000/img_p2.png"
    told(tmp_path, ROW.format(s1=s1, s2=s2, region="arctic", season="fall"), row("img_p1", folder="001"))
    index = find_pairs(tmp_path)
    assert index.pairs[0].region == ""
    assert ("data_r_000.csv:2", "it pairs img_p1.png with img_p2.png") in index.problems
    assert ("data_r_000.csv", "1 rows name files that do not pair in r_000") in index.problems


def test_roundabout_names_in_a_table_mean_the_same_file(tmp_path):
    regions(tmp_path, "img_p1")
    told(tmp_path, row("img_p1").replace("r_000\\s1_000/", "./r_000/s2_000/../s1_000//"))
    assert find_pairs(tmp_path).pairs[0].region == "temperate"


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "C:\\secret.png", "r_000/../../x.png", ""])
def test_a_table_may_not_name_files_outside(tmp_path, name):
    root = tmp_path / "data"
    regions(root, "img_p1")
    told(root, f"{name},r_000/s2_000/img_p1.png" + "," * 9)
    assert refused("RSF-D005", root).where.endswith("data_r_000.csv:2")


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
    regions(tmp_path, "img_p1")
    (tmp_path / "data_r_000.csv").write_bytes(data)
    error = refused("RSF-D006", tmp_path)
    assert why in error.what and "data_r_000.csv" in error.where


def test_an_empty_table_tells_nothing(tmp_path):
    regions(tmp_path, "img_p1")
    (tmp_path / "data_r_000.csv").touch()
    assert names(find_pairs(tmp_path)) == ["r_000/img_p1"]


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


def test_original_names_pair_by_their_token_alone(tmp_path):
    stems = [("ROIs1970_fall", "13_p265"), ("ROIs1970_fall", "13_p30"), ("ROIs1158_spring", "90_p1008")]
    for head, tail in stems:
        touch(tmp_path, f"agri/s1/{head}_s1_{tail}.png", f"agri/s2/{head}_s2_{tail}.jpg")
    index = find_pairs(tmp_path)
    assert index.layout == "terrain"
    expected = ["agri/ROIs1158_spring_90_p1008", "agri/ROIs1970_fall_13_p30", "agri/ROIs1970_fall_13_p265"]
    assert names(index) == expected
    assert [(p.scene, p.season, p.terrain) for p in index.pairs[:2]] == [
        ("ROIs1158_spring_90", "spring", "agri"),
        ("ROIs1970_fall_13", "fall", "agri"),
    ]


@pytest.mark.parametrize(
    ("stem", "side", "key"),
    [
        ("ROIs1970_fall_s1_13_p265", 1, "ROIs1970_fall_13_p265"),
        ("s1_a", 1, "a"),
        ("a-S2", 2, "a"),
        ("ROIs1_p1", 1, "ROIs1_p1"),
        ("ROIs10_s10_p1", 1, "ROIs10_s10_p1"),
        ("a_s2_b", 1, "a_s2_b"),
        ("s1_s1_b", 1, "s1_b"),
    ],
)
def test_a_token_stands_between_separators(stem, side, key):
    assert strip_token(stem, side) == key


def test_equal_names_pair_even_when_they_hold_a_token(tmp_path):
    """A scene may be called s1."""
    touch(tmp_path, "s1/s1_r00000.png", "s2/s1_r00000.png", "s1/x.png", "s2/x.tif", "s1/x.jpg", "s2/y.png")
    found = match_names(tmp_path, tmp_path / "s1", tmp_path / "s2")
    assert [name for name, _, _ in found.pairs] == ["s1_r00000", "x"]
    assert sorted((path.name, why) for path, why in found.orphans) == [
        ("x.png", "x.jpg has the same name"),
        ("y.png", "s1 has no partner of it"),
    ]


def test_names_that_differ_in_the_token_alone_are_not_both_taken(tmp_path):
    touch(tmp_path, "s1/a_s1_b.png", "s1/a_b_s1.png", "s2/a_b_s2.png", "s1/s1_a_b.png")
    found = match_names(tmp_path, tmp_path / "s1", tmp_path / "s2")
    assert len(found.pairs) == 1 and len(found.orphans) == 2
    assert all("but for the token" in why for _, why in found.orphans)


def test_terrains_are_chosen_and_cut_short_in_natural_order(tmp_path):
    for terrain in ("urban", "agri", "scene2"):
        for n in (1, 2, 10, 11):
            touch(tmp_path, f"{terrain}/s1/{n}.png", f"{terrain}/s2/{n}.png")
    touch(tmp_path, "lonely/s1/1.png")
    index = find_pairs(tmp_path, terrains=["urban", "agri"], max_per_terrain=3)
    assert names(index) == [f"{t}/{n}" for t in ("agri", "urban") for n in (1, 2, 10)]
    assert ("lonely/s1", "there is no s2 beside it") in index.problems
    assert {p.scene for p in find_pairs(tmp_path).pairs} == {"", "scene2"}
    error = refused("RSF-U007", tmp_path, terrains=["urbn"])
    assert "did you mean urban?" in error.what and "agri" in error.found


def test_one_set_may_be_the_folder_itself(tmp_path):
    touch(tmp_path, "S1/1.png", "S2/1.png")
    index = find_pairs(tmp_path)
    assert index.layout == "terrain" and names(index) == ["1"] and index.pairs[0].terrain == ""


def test_tables_serve_terrains_too(tmp_path):
    touch(tmp_path, "agri/s1/a.png", "agri/s2/a.png")
    write_table(tmp_path / "data_agri.csv", [{"s1_fileName": "agri/s1/a.png", "s2_fileName": "agri/s2/a.png",
                "scene": "field", "row": 0, "col": 0, "height": 8, "width": 8}])  # fmt: skip
    assert find_pairs(tmp_path).pairs[0].scene == "field"


def georeferenced(root: Path, name: str, shift: float = 0, size: int = 16, crs: str = "EPSG:32632") -> None:
    for folder, bands, moved in (("S1RTC", 2, 0.0), ("S2RGB", 3, shift), ("S2L2A", 12, 0.0)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        place = {"transform": Affine.translation(moved, 0) @ NORTH_UP, "crs": crs if bands == 3 else "EPSG:32632"}
        height = size if bands == 3 else 16
        write(root / folder / f"{name}.tif", ramp(height, 16, bands, "uint8"), **place)


def test_folders_side_by_side_pair_by_name_and_grid(tmp_path):
    georeferenced(tmp_path, "a")
    georeferenced(tmp_path, "b", shift=0.5)
    georeferenced(tmp_path, "c", shift=40)
    georeferenced(tmp_path, "d", size=17)
    georeferenced(tmp_path, "e", crs="EPSG:32633")
    index = find_pairs(tmp_path)
    assert index.layout == "names" and names(index) == ["a", "b"]
    assert index.pairs[0].coordinates == pytest.approx((9.001, 49.652), abs=1e-3)
    assert index.pairs[0].optical.parent.name == "S2RGB" and "S2L2A is left out" in index.notes[1]
    why = dict(index.problems)
    assert "4.00 pixels apart" in why["c"] and "17 x 16" in why["d"] and "coordinate systems" in why["e"]


@pytest.mark.parametrize(("sar", "optical"), [("sar", "optical"), ("SAR_ims", "op_ims"), ("Sentinel-1", "rgb")])
def test_usual_names_of_folders_are_known(tmp_path, sar, optical):
    touch(tmp_path, f"{sar}/1.png", f"{optical}/1.png", "labels/1.png")
    assert names(find_pairs(tmp_path, layout="names")) == ["1"]


def test_folders_that_may_both_be_meant_are_not_guessed(tmp_path):
    touch(tmp_path, "S1GRD/1.png", "S1RTC/1.png", "S2/1.png")
    assert "S1GRD, S1RTC" in refused("RSF-D009", tmp_path).found
    touch(tmp_path / "o", "sar/1.png", "rgb/1.png", "optical/1.png")
    assert "optical, rgb" in refused("RSF-D009", tmp_path / "o").found


def test_nothing_to_pair_is_said_with_what_was_looked_for(tmp_path):
    refused("RSF-D001", tmp_path / "none")
    refused("RSF-D001", tmp_path)
    (tmp_path / "file").touch()
    refused("RSF-D001", tmp_path / "file")
    touch(tmp_path, "a/1.png", "b/1.png")
    error = refused("RSF-D009", tmp_path)
    assert error.found == "a, b" and "TERRAIN/s1" in error.fix
    touch(tmp_path / "t", "s1/1.png", "s2/2.png")
    assert "no partner" in refused("RSF-D009", tmp_path / "t").found
    touch(tmp_path / "e", "agri/s1/1.png", "agri/s2/1.png", "coast/s2/1.png")
    (tmp_path / "e/coast/s1").mkdir()
    error = refused("RSF-D009", tmp_path / "e", terrains=["coast"])
    assert error.what.endswith("there are no images in coast/s1") and "coast/s2/1.png" in error.found
    assert find_pairs(tmp_path / "e").empty_folders == ["coast/s1"]
    touch(tmp_path / "w", "one/s1.jpg", "one/s2.jpg")
    assert "rsforge data tile" in refused("RSF-D009", tmp_path / "w").fix
    refused("RSF-U005", tmp_path, layout="captions")


def test_one_file_a_band_is_refused_by_name(tmp_path):
    touch(tmp_path, "S1/P1/P1_labels_metadata.json", "S1/P1/P1_VV.tif", "S2/Q1/Q1_labels_metadata.json")
    assert "BigEarthNet" in refused("RSF-D009", tmp_path).what


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    root = tmp_path / "data"
    touch(root, "s1/1.png", "s2/1.png", "s2/2.png")
    touch(tmp_path, "else/2.png")
    (root / "s1/2.png").symlink_to(tmp_path / "else/2.png")
    (root / "s1/3.png").symlink_to(root / "s1/1.png")
    index = find_pairs(root)
    assert names(index) == ["1"] and ("s1/2.png", "it is a link that leaves the data folder") in index.orphans
    touch(tmp_path / "t", "agri/s1/1.png", "agri/s2/1.png")
    (tmp_path / "t/far").symlink_to(tmp_path / "data")
    assert ("far", "it is a link that leaves the data folder") in find_pairs(tmp_path / "t").problems


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path, monkeypatch):
    touch(tmp_path, "a/s1/1.png", "a/s2/1.png", "b/s1/1.png", "b/s2/1.png")
    scan = os.scandir

    def guarded(folder):
        if Path(folder).name == "b":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    index = find_pairs(tmp_path)
    assert names(index) == ["a/1"] and ("b", "Permission denied") in index.problems


def test_an_unfinished_cut_is_told(tmp_path):
    touch(tmp_path, "s1/1.png", "s2/1.png")
    write_card(tmp_path, "pairs", complete=False)
    assert ("dataset.json", "the cut of these patches was not finished") in find_pairs(tmp_path).problems


def test_an_unreadable_header_is_left_to_who_opens_the_pair(tmp_path):
    touch(tmp_path, "s1/1.tif", "s2/1.tif")
    assert names(find_pairs(tmp_path)) == ["1"]


def test_a_declared_layout_is_not_looked_for(tmp_path):
    touch(tmp_path, "r_000/s1_000/1.png", "r_000/s2_000/1.png", "sar/1.png", "rgb/1.png")
    assert find_layout(tmp_path, "names").groups[0].sar.name == "sar"
    assert find_layout(tmp_path, "auto").name == "regions"


def test_natural_order_is_total():
    given = ["p10", "p2", "p02", "a1b", "a", "1", "ü2"]
    assert sorted(given, key=natural_key) == ["1", "a", "a1b", "p02", "p2", "p10", "ü2"]
