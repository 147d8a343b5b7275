"""Real pairs, as they are and spoilt: the audit finds what was done to them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from rsforge.data.audit.inspect_items import inspect_items
from rsforge.data.splits.contents import find_contents
from rsforge.data.splits.duplicates import digest_items
from rsforge.data.splits.items import SharedPixels
from rsforge.data.splits.shared_pixels import find_shared_pixels, list_groups
from tests.worlds.commands import rsforge
from tests.worlds.pairs import load, save


@pytest.fixture
def copy(real_data: Path, tmp_path: Path) -> Path:
    for name in ("sen12_gray_terrain/agriculture", "sen12_rgb_png/spring_roi90", "sih1733_rgb_patches"):
        shutil.copytree(real_data / "sar_optical" / name, tmp_path / name, copy_function=shutil.copyfile)
    return tmp_path


def shift(path: Path, rows: int, cols: int) -> None:
    save(path, np.roll(load(path), (rows, cols), (0, 1)))


def faults(folder: Path) -> dict[str, dict[str, object]]:
    told = json.loads((folder / "audit.json").read_text())["faults"]
    return {fault["item"]: fault for fault in told if fault["severity"] == "error"}


def test_undisturbed_pairs_are_not_called_misregistered(real_data, tmp_path):
    for name in ("sen12_rgb_png", "sih1733_rgb_patches", "terramind_geotiff"):
        out = tmp_path / name
        assert rsforge("data audit --data-dir {} --output-dir {} -q", real_data / "sar_optical" / name, out) == 0
        counts = json.loads((out / "audit.json").read_text())["counts"]
        assert set(counts) <= {"saturated", "blank", "cloudy", "stray", "overlap"}


def test_grey_optical_images_must_be_accepted(real_data, tmp_path):
    root = real_data / "sar_optical" / "sen12_gray_terrain"
    line = "data audit --data-dir {} --output-dir {} --terrains agriculture -q"
    assert rsforge(line, root, tmp_path) == 3
    assert json.loads((tmp_path / "audit.json").read_text())["counts"] == {"gray": 32, "overlap": 11}
    assert rsforge(f"{line} --allow-gray-optical", root, tmp_path) == 0


def test_what_was_removed_renamed_and_shifted_is_found_and_nothing_else(copy):
    agriculture, scene = copy / "sen12_gray_terrain" / "agriculture", copy / "sih1733_rgb_patches" / "scene2"
    fields, patches = sorted(p.name for p in (agriculture / "s1").iterdir()), sorted((scene / "s1").iterdir())
    (agriculture / "s1" / fields[0]).unlink()
    (agriculture / "s1" / fields[3]).rename(agriculture / "s1" / "999999.jpg")
    (copy / "sen12_rgb_png/spring_roi90/s2/ROIs1158_spring_s2_90_p1008.png").unlink()
    shift(scene / "s2" / patches[1].name, 4, 0)
    shift(patches[4], 0, 4)
    assert rsforge("data audit --data-dir {} --allow-gray-optical -q", copy) == 3
    found = faults(copy)
    prefix = "sen12_gray_terrain/agriculture"
    moved = [f"sih1733_rgb_patches/scene2/{patches[k].stem}" for k in (1, 4)]
    assert set(found) == {
        f"{prefix}/s2/{fields[0]}",
        f"{prefix}/s2/{fields[3]}",
        f"{prefix}/s1/999999.jpg",
        "sen12_rgb_png/spring_roi90/s1/ROIs1158_spring_s1_90_p1008.png",
        *moved,
    }
    for name, wanted in zip(moved, [(4, 0), (0, -4)], strict=True):
        figures = found[name]["figures"]
        assert (figures["rows"], figures["cols"]) == pytest.approx(wanted, abs=0.5)


def test_most_real_fields_show_a_shift_of_four_pixels(real_data):
    holdings = find_contents(real_data / "sar_optical" / "sen12_gray_terrain", terrains=["agriculture"])
    exams = list(inspect_items(holdings, radiometry=None, gray=True))
    assert sum(exam.shift.conclusive for exam in exams) >= 24
    assert all(exam.shift.length < 3 for exam in exams if exam.shift.conclusive)


def test_overlapping_or_unknown_neighbours_are_not_split(real_data, tmp_path, capsys):
    root, out = real_data / "sar_optical", tmp_path / "split.json"
    assert rsforge("data split --data-dir {} --output {}", root / "sen12_gray_terrain", out) == 3
    assert "RSF-D011" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --output {}", root / "sih1733_rgb_patches", out) == 0


def test_sets_side_by_side_are_judged_by_their_own_kind(real_data, tmp_path):
    line = "data audit --data-dir {} --output-dir {} --allow-gray-optical -q"
    assert rsforge(line, real_data / "sar_optical", tmp_path) == 3
    told = json.loads((tmp_path / "audit.json").read_text())
    assert told["items"] == 131 and told["counts"].pop("overlap") == 20
    # The patches of BigEarthNet have 16 bits and no declared range, and one of them is measured as shifted.
    assert (told["counts"].pop("range"), told["counts"].pop("misregistered")) == (6, 1)
    assert set(told["counts"]) <= {"saturated", "blank", "stray"}


def search(root: Path) -> list[SharedPixels]:
    items = find_contents(root).items
    return find_shared_pixels(items, digest_items(items))


def test_24_of_91_terrain_patches_share_half_or_a_quarter_of_their_pixels(real_data):
    """A search of all 4,095 pairs at all offsets finds these 19, of both images, and no other."""
    found = search(real_data / "sar_optical" / "sen12_gray_terrain")
    assert len(found) == 19 and len({name for both in found for name in both.names}) == 24
    assert {both.share for both in found} == {0.25, 0.5} and min(both.correlation for both in found) > 0.99
    assert {abs(step) for both in found for step in both.offset} == {0, 128}
    (group,) = (names for names in list_groups(found) if "agriculture/1267" in names)
    assert group == [f"agriculture/{number}" for number in (1267, 1369, 1569, 1704)]


def test_other_real_images_share_no_pixels(real_data):
    for name in ("sar_optical/sih1733_rgb_patches", "tiles/rsscn7_128px_derived", "captions/ucm"):
        assert search(real_data / name) == []
    (both,) = search(real_data / "sar_optical" / "sen12_rgb_png")
    assert [name[-4:] for name in both.names] == ["p889", "p919"] and both.offset == (0, 128)


def test_neighbours_in_the_colour_scenes_share_no_pixels(real_data, tmp_path):
    for scene in sorted((real_data / "sar_optical" / "sih1733_scenes").iterdir()):
        pixels = load(scene / "s2.jpg")
        for row in range(0, 1024, 128):
            for col in range(0, 1024, 128):
                save(tmp_path / f"{scene.name} {row} {col}.png", pixels[row : row + 128, col : col + 128])
    assert len(find_contents(tmp_path).items) == 128 and search(tmp_path) == []
