from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rsforge.data.pairs.index import find_pairs
from rsforge.data.synthetic.backscatter import to_decibel, to_grey
from rsforge.data.synthetic.world import draw_pair
from rsforge.data.synthetic.write_pairs import list_files, list_sites, write
from rsforge.data.synthetic.write_tiles import list_files as tile_files
from rsforge.data.synthetic.write_tiles import write as write_tiles

LAYOUTS = ("terrain", "regions")


def tree(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("worlds")
    for layout in LAYOUTS:
        (base / layout).mkdir()
        assert sum(write(base / layout, layout, count=18, size=24, seed=3)) == 18
    return {layout: base / layout for layout in LAYOUTS}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_plan_names_every_file(worlds, layout) -> None:
    assert sorted(tree(worlds[layout])) == sorted(list_files(layout, 18))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pair_is_the_same_however_many_there_are(worlds, layout, tmp_path) -> None:
    list(write(tmp_path, layout, count=6, size=24, seed=3))
    few, many = tree(tmp_path), tree(worlds[layout])
    assert len(few) == 6 * 2 + len({s.folder for s in list_sites(layout, 6)})
    for name, data in few.items():
        assert many[name] == data if name.endswith(".png") else many[name].startswith(data)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pairs_are_found_with_their_scenes_and_windows(worlds, layout) -> None:
    index = find_pairs(worlds[layout])
    assert (index.layout, len(index.pairs), index.orphans, index.problems) == (layout, 18, [], [])
    scenes = {p.scene for p in index.pairs}
    assert len(scenes) == 5 and "" not in scenes
    for one in index.pairs:
        others = [p for p in index.pairs if p.scene == one.scene and p is not one]
        assert not any(one.window.shared_pixels(p.window) for p in others)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_patches_are_windows_of_their_scene(worlds, layout) -> None:
    chosen = list_sites(layout, 18)[1]
    optical, sar = draw_pair(3, 1, 48, **chosen.look)
    for k, names in enumerate(chosen.names):
        cut = np.s_[k // 2 * 24 :, k % 2 * 24 :]
        s1, s2 = (np.asarray(Image.open(worlds[layout] / name.replace("\\", "/"))) for name in names)
        assert np.array_equal(s1, to_grey(to_decibel(sar))[cut][:24, :24]) and np.array_equal(
            s2, optical[cut][:24, :24]
        )


def test_terrain_folders_hold_the_original_kind_of_names() -> None:
    names = [n for n in list_files("terrain", 16) if n.endswith(".png")]
    assert {n.split("/")[0] for n in names} == {"agri", "urban", "river", "coast"}
    assert "agri/s1/ROIs2017_winter_s1_1_p1.png" in names and "urban/s2/ROIs1158_spring_s2_2_p4.png" in names


def test_region_tables_are_written_as_the_original_scripts_do(worlds) -> None:
    with (worlds["regions"] / "data_r_001.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["s1_fileName"] == r"r_001\s1_001/img_p1.png" and rows[0]["coordinates"] == "(11.3, 44.6)"
    assert [r["s2_fileName"].rsplit("_p")[-1] for r in rows] == [f"{p}.png" for p in range(1, 1 + len(rows))]
    assert {r["region"] for r in rows} == {"temperate"} and rows[0]["bands"] == "('B02', 'B03', 'B04')"


def test_every_region_has_every_season() -> None:
    looks = {(site.look["region"], site.look["season"]) for site in list_sites("regions", 4 * 12)}
    assert len(looks) == 12


def test_places_lie_in_their_regions_and_apart() -> None:
    chosen = list_sites("regions", 4 * 400)
    places = [tuple(map(float, s.coordinates.strip("()").split(","))) for s in chosen]
    assert len(set(places[:300])) == 300
    for site, (_, lat) in zip(chosen[:300], places, strict=False):
        low, high = {"tropical": (0, 23.5), "temperate": (23.5, 66.5), "arctic": (66.5, 90)}[site.look["region"]]
        assert low < lat <= high


def test_tiles_carry_their_class_in_the_name(tmp_path) -> None:
    assert sum(write_tiles(tmp_path, count=6, size=16, seed=1)) == 6
    assert sorted(tree(tmp_path)) == sorted(tile_files(6))
    assert (tmp_path / "classes.txt").read_text() == "1 fields\n2 river\n3 village\n4 coast\n"
    with Image.open(tmp_path / "0002_0002.png") as tile:
        assert (tile.size, tile.mode) == ((16, 16), "RGB")


def test_every_season_is_one_scene_with_one_sar_image_and_four_optical_ones(tmp_path) -> None:
    assert sum(write(tmp_path, "regions", count=32, size=24, seed=3, every_season=True)) == 32
    assert sorted(tree(tmp_path)) == sorted(list_files("regions", 32, every_season=True))
    pairs = find_pairs(tmp_path).pairs
    assert len(pairs) == 32 and len({pair.scene for pair in pairs}) == 2
    for scene in {pair.scene for pair in pairs}:
        seen = [pair for pair in pairs if pair.scene == scene]
        assert sorted({pair.metadata["season"] for pair in seen}) == ["fall", "spring", "summer", "winter"]
        assert len({pair.metadata["region"] for pair in seen}) == 1
        place = [pair for pair in seen if pair.window == seen[0].window]
        assert len({pair.sar.read_bytes() for pair in place}) == 1 and len(place) == 4
        assert len({pair.optical.read_bytes() for pair in place}) == 4
