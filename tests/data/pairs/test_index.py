"""The pairs of a folder with all that is known of them, and what is wrong with the folder."""

from __future__ import annotations

import os
from pathlib import Path

from rsforge.data.io.dataset_card import write_card
from rsforge.data.names.pairing_remedies import choose_remedy
from rsforge.data.pairs.index import find_pairs, parse_scene_and_season
from rsforge.data.pairs.tables import write_table
from tests.worlds.pair_folders import (
    ROW,
    csv_row,
    find_refused,
    pair_names,
    touch,
    touch_regions,
    write_csv,
    write_georeferenced,
)


def test_regions_are_joined_with_their_tables(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2", "img_p10")
    touch_regions(tmp_path, "img_p0", folder="001")
    write_csv(
        tmp_path,
        csv_row("img_p10", season="Autumn"),
        csv_row("img_p1"),
        csv_row("img_p2", region="nan", season=""),
    )
    write_csv(tmp_path, folder="r_001")
    index = find_pairs(tmp_path)
    assert index.layout == "regions" and pair_names(index) == [f"r_000/img_p{n}" for n in (1, 2, 10)] + ["r_001/img_p0"]
    assert [(p.region, p.season) for p in index.pairs[:3]] == [("temperate", "fall"), ("", ""), ("temperate", "fall")]
    first, last = index.pairs[0], index.pairs[3]
    assert first.coordinates == (12.49, 41.9) and first.country == "IT" and first.window is None
    assert first.sar == tmp_path / "r_000/s1_000/img_p1.png" and first.optical == tmp_path / "r_000/s2_000/img_p1.png"
    assert len({p.scene for p in index.pairs[:3]}) == 1 and "r_000" in first.scene
    assert (last.scene, last.coordinates, last.region) == ("", None, "")
    assert index.orphans == [] and index.problems == [] and "regions" in index.notes[0]


def test_regions_without_tables_pair_by_folder(tmp_path):
    touch_regions(tmp_path, "img_p1")
    touch(tmp_path, "r_000/s1_000/.hidden.png", "r_000/s1_000/.tmp-1-img_p3.png", "r_000/s1_000/notes.txt")
    assert pair_names(find_pairs(tmp_path)) == ["r_000/img_p1"]


def test_missing_files_and_rows_are_listed(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2", "img_p3")
    (tmp_path / "r_000/s2_000/img_p3.png").unlink()
    write_csv(tmp_path, csv_row("img_p1"), csv_row("img_p9"), csv_row("img_p1", season="winter"))
    index = find_pairs(tmp_path)
    assert pair_names(index) == ["r_000/img_p1", "r_000/img_p2"] and index.pairs[0].season == "fall"
    assert ("r_000/s1_000/img_p3.png", "s2_000 has no partner of it") in index.orphans
    assert {name for name, why in index.orphans if "data_r_000.csv:3" in why} == {
        "r_000/s1_000/img_p9.png",
        "r_000/s2_000/img_p9.png",
    }
    assert ("data_r_000.csv:4", "r_000/s1_000/img_p1.png was named before") in index.problems
    assert ("data_r_000.csv", "1 of 2 pairs has no row") in index.problems


def test_a_row_that_pairs_other_names_is_not_believed(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2")
    touch_regions(tmp_path, "img_p1", folder="001")
    s1, s2 = "r_000/s1_000/img_p1.png", "r_000/s2_000/img_p2.png"
    write_csv(tmp_path, ROW.format(s1=s1, s2=s2, region="arctic", season="fall"), csv_row("img_p1", folder="001"))
    index = find_pairs(tmp_path)
    assert index.pairs[0].region == ""
    assert ("data_r_000.csv:2", "it pairs img_p1.png with img_p2.png") in index.problems
    assert ("data_r_000.csv", "1 row names files that do not pair in r_000") in index.problems


def test_original_names_pair_by_their_token_alone(tmp_path):
    stems = [("ROIs1970_fall", "13_p265"), ("ROIs1970_fall", "13_p30"), ("ROIs1158_spring", "90_p1008")]
    for head, tail in stems:
        touch(tmp_path, f"agri/s1/{head}_s1_{tail}.png", f"agri/s2/{head}_s2_{tail}.jpg")
    index = find_pairs(tmp_path)
    assert index.layout == "terrain"
    expected = ["agri/ROIs1158_spring_90_p1008", "agri/ROIs1970_fall_13_p30", "agri/ROIs1970_fall_13_p265"]
    assert pair_names(index) == expected
    assert [(p.scene, p.season, p.terrain) for p in index.pairs[:2]] == [
        ("ROIs1158_spring_90", "spring", "agri"),
        ("ROIs1970_fall_13", "fall", "agri"),
    ]


def test_terrains_are_chosen_and_cut_short_in_natural_order(tmp_path):
    for terrain in ("urban", "agri", "scene2"):
        for n in (1, 2, 10, 11):
            touch(tmp_path, f"{terrain}/s1/{n}.png", f"{terrain}/s2/{n}.png")
    touch(tmp_path, "lonely/s1/1.png")
    index = find_pairs(tmp_path, terrains=["urban", "agri"], max_per_terrain=3)
    assert pair_names(index) == [f"{t}/{n}" for t in ("agri", "urban") for n in (1, 2, 10)]
    assert ("lonely/s1", "there is no s2 beside it") in index.problems
    assert {p.scene for p in find_pairs(tmp_path).pairs} == {"", "scene2"}
    error = find_refused("RSF-U007", tmp_path, terrains=["urbn"])
    assert "did you mean urban?" in error.what and "agri" in error.found


def test_tables_serve_terrains_too_and_their_scene_goes_before_that_of_a_folder(tmp_path):
    touch(tmp_path, "scene1/s1/a.png", "scene1/s2/a.png")
    write_table(tmp_path / "data_scene1.csv", [{"s1_fileName": "scene1/s1/a.png", "s2_fileName": "scene1/s2/a.png",
                "scene": "field", "row": 0, "col": 0, "height": 8, "width": 8}])  # fmt: skip
    assert find_pairs(tmp_path).pairs[0].scene == "field"


def test_autumn_is_fall_in_seasons_and_scenes():
    assert parse_scene_and_season("terrain", "agri", "ROIs1_autumn_2_p3") == ("ROIs1_fall_2", "fall")
    assert parse_scene_and_season("terrain", "agri", "ROIs1_winter_2_p3") == ("ROIs1_winter_2", "winter")


def test_pairs_whose_grids_differ_are_problems(tmp_path):
    for name, shift in (("a", 0), ("b", 3), ("c", 0)):
        write_georeferenced(tmp_path, name, shift)
    index = find_pairs(tmp_path)
    assert pair_names(index) == ["a", "c"] and [name for name, _ in index.problems] == ["b"]


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    root = tmp_path / "data"
    touch(root, "s1/1.png", "s2/1.png", "s2/2.png")
    touch(tmp_path, "else/2.png")
    (root / "s1/2.png").symlink_to(tmp_path / "else/2.png")
    (root / "s1/3.png").symlink_to(root / "s1/1.png")
    index = find_pairs(root)
    assert pair_names(index) == ["1"] and ("s1/2.png", "it is a link that leaves the data folder") in index.orphans
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
    assert pair_names(index) == ["a/1"] and ("b", "Permission denied") in index.problems


def test_an_unfinished_cut_is_a_problem(tmp_path):
    touch(tmp_path, "s1/1.png", "s2/1.png")
    write_card(tmp_path, "pairs", complete=False)
    assert ("dataset.json", "the cut of these patches was not finished") in find_pairs(tmp_path).problems


def test_links_to_themselves_are_named(tmp_path):
    root = tmp_path / "data"
    touch(root, "s1/1.png", "s2/1.png")
    (root / "s1/2.png").symlink_to("2.png")
    (root / "turn").symlink_to("turn")
    index = find_pairs(root)
    reason = "it is a link that leads to itself"
    assert pair_names(index) == ["1"] and ("s1/2.png", reason) in index.orphans and ("turn", reason) in index.problems


def test_a_table_whose_names_differ_in_capital_letters_says_so(tmp_path):
    touch_regions(tmp_path, "img_p1", "img_p2")
    write_csv(tmp_path, csv_row("IMG_p1"), csv_row("img_p2"))
    index = find_pairs(tmp_path, collect_problems=True)
    reason = "data_r_000.csv:2 names it: img_p1 differs in capital letters alone"
    assert ("r_000/s1_000/IMG_p1.png", reason) in index.orphans
    assert "in the table" in choose_remedy(tmp_path, index.orphans)
