from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsforge import durable
from rsforge.data.io.dataset_card import read_card, write_card
from rsforge.data.io.rasters import read_raster
from rsforge.data.io.windows import Window
from rsforge.data.pairs.index import find_pairs
from tests.worlds.awkward_images import write_upside_down
from tests.worlds.commands import rsforge
from tests.worlds.rasters import ramp, write


def scene(folder: Path, height: int = 40, width: int = 48, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    values = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(values[..., 0]).save(folder / "s1.png")
    Image.fromarray(values).save(folder / "s2.png")


@pytest.fixture
def scenes(tmp_path) -> Path:
    for n in (1, 2):
        scene(tmp_path / "whole scenes" / f"scene{n}", seed=n)
    return tmp_path / "whole scenes"


def tile(line: str, sar: Path, optical: Path, output: Path) -> int:
    return rsforge(f"data tile --sar {{}} --optical {{}} --output-dir {{}} --size 16 {line}", sar, optical, output)


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("layout", ["terrain", "regions"])
def test_patches_are_the_windows_that_their_rows_name(scenes, tmp_path, capsys, layout):
    out = tmp_path / "out"
    assert tile(f"--layout {layout} --stride 8 --season autumn --json", scenes, scenes, out) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["patches"] == 40 and result["patches_of_scenes"] == {"scene1": 20, "scene2": 20}
    assert result["left_out_nodata"] == 0 and "uint8" in result["radiometry"]
    index = find_pairs(out)
    assert index.layout == layout and len(index.pairs) == 40 and not index.orphans and not index.problems
    for pair in index.pairs:
        assert pair.window is not None and pair.season == "fall"
        for side, path in (("s1", pair.sar), ("s2", pair.optical)):
            whole = read_raster(scenes / pair.scene / f"{side}.png", pair.window)
            assert np.array_equal(read_raster(path).values, whole.values)
    card = read_card(out)
    assert card["complete"] is True and card["radiometry"]["unit"] == "uint8" and card["stride"] == 8


def test_the_layouts_are_those_of_the_documents(scenes, tmp_path):
    assert tile("--layout regions", scenes, scenes, tmp_path / "r") == 0
    assert tile("--terrain agri", scenes, scenes, tmp_path / "t") == 0
    assert {"data_r_000.csv", "r_001/s2_001/img_p6.png", "r_000/s1_000/img_p1.png"} <= files(tmp_path / "r").keys()
    assert rows(tmp_path / "r/data_r_001.csv")[5]["s1_fileName"] == "r_001/s1_001/img_p6.png"
    assert "agri/s1/scene2_r00016_c00032.png" in files(tmp_path / "t")
    assert [row["scene"] for row in rows(tmp_path / "t/data_agri.csv")] == ["scene1"] * 6 + ["scene2"] * 6


def test_georeferenced_scenes_give_georeferenced_patches(tmp_path, capsys):
    sar = ramp(32, 32, 2, "float32") / -100
    sar[:16, :16] = -99
    write(tmp_path / "s1.tif", sar, nodata=-99)
    write(tmp_path / "s2.tif", ramp(32, 32, 3, "uint8"))
    out = tmp_path / "out"
    assert tile("--country DE --json", tmp_path / "s1.tif", tmp_path / "s2.tif", out) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["windows"], result["patches"], result["left_out_nodata"]) == (4, 3, 1)
    name = tmp_path.name
    (told, *_) = rows(out / f"data_{name}.csv")
    assert (told["region"], told["scale"], told["country"]) == ("temperate", "10", "DE")
    assert told["coordinates"].startswith("(9.00") and (told["row"], told["col"]) == ("0", "16")
    with rasterio.open(out / name / "s1" / f"{name}_r00000_c00016.tif") as target:
        assert (target.bounds.left, target.bounds.top, target.nodata) == (500160, 5500000, -99)
        assert target.crs.to_epsg() == 32632 and target.dtypes == ("float32", "float32")
    assert read_card(out)["radiometry"] == {"unit": "db", "low": -25.0, "high": 0.0}
    assert find_pairs(out).pairs[0].window == Window(0, 16, 16, 16)


@pytest.mark.parametrize(("latitude", "region"), [(5, "tropical"), (-40, "temperate"), (-80, "arctic")])
def test_the_region_follows_the_latitude(tmp_path, latitude, region):
    place = {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 10, 0, -1e-4, latitude)}
    for name, bands in (("s1", 1), ("s2", 3)):
        write(tmp_path / f"{name}.tif", ramp(16, 16, bands, "uint8"), **place)
    for option, expected in (("", region), ("--region tropical", "tropical")):
        assert tile(f"--overwrite --terrain t {option}", tmp_path / "s1.tif", tmp_path / "s2.tif", tmp_path / "o") == 0
        (told,) = rows(tmp_path / "o/data_t.csv")
        assert told["region"] == expected and told["scale"] == ""


def test_a_dry_run_counts_and_writes_nothing(scenes, tmp_path, capsys):
    assert tile("--dry-run --json", scenes, scenes, tmp_path / "out") == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    assert plan["windows_of_scenes"] == {"scene1": 6, "scene2": 6} and not (tmp_path / "out").exists()


def test_an_earlier_cut_is_replaced_only_when_said_so_and_alone(scenes, tmp_path, capsys):
    out = tmp_path / "out"
    assert tile("--stride 8", scenes, scenes, out) == 0
    before = files(out)
    assert tile("", scenes, scenes, out) == 2
    assert "RSF-U004" in capsys.readouterr().err and files(out) == before
    (out / "scene1/s1/mine.png").write_bytes(b"mine")
    assert tile("--layout regions --overwrite", scenes, scenes, out) == 0
    after = files(out)
    assert after["scene1/s1/mine.png"] == b"mine" and not (out / "scene2").exists()
    assert not any("_r000" in name for name in after) and "data_scene1.csv" not in after


def test_foreign_files_are_never_overwritten(scenes, tmp_path, capsys):
    touched = tmp_path / "out/r_000/s1_000/img_p1.png"
    touched.parent.mkdir(parents=True)
    touched.touch()
    assert tile("--overwrite --layout regions", scenes, scenes, tmp_path / "out") == 2
    assert "RSF-U004" in capsys.readouterr().err and touched.exists()
    write_card(tmp_path / "out", "pairs", size=16, layout="regions")
    assert tile("--overwrite --layout regions", scenes, scenes, tmp_path / "out") == 2
    assert "RSF-U004" in capsys.readouterr().err and touched.exists()
    assert tile("--overwrite", scenes, scenes, scenes) == 2
    assert "RSF-U005" in capsys.readouterr().err


def test_a_cut_that_broke_off_is_known_and_done_again(scenes, tmp_path, monkeypatch, capsys):
    out, writes = tmp_path / "out", []

    def full(operation: str) -> None:
        writes.append(operation)
        if len(writes) > 60:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "before_operation", full)
        assert tile("", scenes, scenes, out) == 6
    assert "RSF-E001" in capsys.readouterr().err and read_card(out)["complete"] is False
    assert not any(".tmp-" in name for name in files(out))
    assert any("not finished" in why for _, why in find_pairs(out).problems)
    assert tile("--overwrite", scenes, scenes, out) == 0
    assert read_card(out)["complete"] is True and len(find_pairs(out).pairs) == 12


def test_two_cuts_are_the_same_to_the_byte(scenes, tmp_path):
    for name in ("a", "b"):
        assert tile("--stride 8", scenes, scenes, tmp_path / name) == 0
    first, second = files(tmp_path / "a"), files(tmp_path / "b")
    assert first.pop(".lock") != b"" and second.pop(".lock") != b"" and first == second


@pytest.mark.parametrize(
    ("line", "code", "exit_code"),
    [
        ("--radiometry db", "RSF-D010", 3),
        ("--clip 5 5", "RSF-U001", 2),
        ("--size 64", "RSF-D003", 3),
        ("--terrain ../x", "RSF-U001", 2),
        ("--season monsoon", "RSF-U001", 2),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(scenes, tmp_path, capsys, line, code, exit_code):
    assert tile(line, scenes, scenes, tmp_path / "out") == exit_code
    assert code in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_scenes_without_data_leave_no_half_data_set(tmp_path, capsys):
    for name, value in (("s1", 0), ("s2", 5)):
        write(tmp_path / f"{name}.tif", np.full((16, 16, 1), value, np.uint16), nodata=0)
    assert tile("", tmp_path / "s1.tif", tmp_path / "s2.tif", tmp_path / "out") == 3
    assert "RSF-D004" in capsys.readouterr().err and not (tmp_path / "out").exists()
    values = np.eye(16, dtype=np.uint16)[..., None]
    write(tmp_path / "s1.tif", values, nodata=0)
    assert tile("", tmp_path / "s1.tif", tmp_path / "s2.tif", tmp_path / "out") == 3
    assert "RSF-D004" in capsys.readouterr().err and list(files(tmp_path / "out")) == [".lock"]
    assert tile("--min-valid 0.05", tmp_path / "s1.tif", tmp_path / "s2.tif", tmp_path / "out") == 0


def test_scenes_of_different_units_are_not_cut_together(tmp_path, capsys):
    for name, dtype in (("a", "uint8"), ("b", "float32")):
        write(tmp_path / f"{name}_s1.tif", ramp(16, 16, 1, dtype))
        write(tmp_path / f"{name}_s2.tif", ramp(16, 16, 3, "uint8"))
    assert tile("", tmp_path, tmp_path, tmp_path.parent / f"{tmp_path.name}-out") == 3
    error = capsys.readouterr().err
    assert "RSF-D010" in error and "float32" in error


def test_a_scene_too_small_and_a_missing_partner_are_told(scenes, tmp_path, capsys):
    scene(scenes / "tiny", 8, 99)
    assert tile("--stride 100", scenes, scenes, tmp_path / "out") == 0
    assert "tiny has 8 x 99 pixels" in capsys.readouterr().err and len(find_pairs(tmp_path / "out").pairs) == 2


def test_what_does_not_fit_is_refused(scenes, tmp_path, capsys):
    assert tile("--layout regions --terrain agri", scenes, scenes, tmp_path / "out") == 2
    assert "RSF-U005" in capsys.readouterr().err
    one = scenes / "scene1" / "s1.png"
    assert tile("", one, one, tmp_path / "out") == 2
    assert "one file is given for both images" in capsys.readouterr().err
    assert tile("--terrain ../../esc", scenes, scenes, tmp_path / "out") == 2
    assert "must be the name of one folder" in capsys.readouterr().err
    assert tile("--dry-run", scenes, scenes, one / "out") == 6
    assert "RSF-E008" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_radar_geometry_is_refused_and_warped_when_asked(tmp_path, capsys):
    mean = write_upside_down(tmp_path, shift=20)
    line = "--layout terrain --radiometry dn --clip 0 1000"
    assert tile(line, tmp_path / "sar.tif", tmp_path / "optical.tif", tmp_path / "cut") == 3
    assert "--warp" in capsys.readouterr().err
    assert tile(f"{line} --warp", tmp_path / "sar.tif", tmp_path / "optical.tif", tmp_path / "cut") == 0
    assert "without heights" in capsys.readouterr().err
    index = find_pairs(tmp_path / "cut")
    assert len(index.pairs) == 8 and index.problems == []  # of 16: the SAR image does not reach the others
    for pair in index.pairs:
        window, sar = pair.window, read_raster(pair.sar)
        assert (
            window is not None and window.col + 16 + 20 <= 64 and sar.info.grid == read_raster(pair.optical).info.grid
        )
        # The SAR image shows the ground 20 columns further west: what it holds at a place was drawn 20 columns east.
        drawn = mean[window.row : window.row + 16, window.col + 20 : window.col + 36] * 4
        np.testing.assert_allclose(sar.values[..., 0], drawn, atol=6)
