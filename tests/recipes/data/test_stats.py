"""``data stats`` through the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from tests.worlds.commands import rsforge
from tests.worlds.cube_patches import write_patches
from tests.worlds.pairs import fields, load, save, write_pairs
from tests.worlds.rasters import write


def test_pairs_are_counted_and_measured(tmp_path, capsys):
    write_pairs(tmp_path, ("agri", "urban"), 3, 32)
    assert rsforge("data stats --dataset-path {} --json", tmp_path) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["items"] == told["opened"] == 6 and told["unreadable"] == []
    assert told["counts"]["terrain"] == {"agri": 3, "urban": 3} and told["counts"]["season"] == {"fall": 6}
    assert told["counts"]["scene"] == {"ROIs1970_fall_0": 3, "ROIs1970_fall_1": 3}
    sar, optical = told["sides"]["sar"], told["sides"]["optical"]
    assert sar["sizes"] == {"32 x 32": 6} and sar["modes"] == {"1 uint8": 6} and optical["modes"] == {"3 uint8": 6}
    pixels = [fields(32, 1000 * t + k)[0] for t in range(2) for k in range(3)]
    assert sar["min"] == min(p.min() for p in pixels) and sar["max"] == max(p.max() for p in pixels)
    mean = sum(p.mean() for p in pixels) / 6
    assert abs(sar["mean"] - mean) < 1e-3
    assert abs(sar["std"] - (sum(((p - mean) ** 2).mean() for p in pixels) / 6) ** 0.5) < 1e-3
    assert set(optical["band 2"]) == {"min", "max", "mean", "std"}


def test_people_get_a_table(tmp_path, capsys):
    write_pairs(tmp_path, ("agri",), 3, 32)
    sorted((tmp_path / "agri" / "s2").iterdir())[1].write_bytes(b"")
    assert rsforge("data stats --data-dir {} --limit 2", tmp_path) == 0
    said = capsys.readouterr()
    rows = [line.split() for line in said.out.splitlines()]
    assert ["items", "3"] in rows and ["opened", "2"] in rows and ["unreadable", "1"] in rows and ["agri", "3"] in rows
    assert "1 file cannot be read" in said.err and "the file is empty" in said.out


def test_photographs_and_patches(tmp_path, capsys):
    for k in range(3):
        save(tmp_path / "tiles" / f"class_{k % 2}" / f"{k}.png", fields(32, k)[1])
    assert rsforge("data stats --data-dir {} --json", tmp_path / "tiles") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "tiles" and told["counts"] == {"terrain": {"class_0": 2, "class_1": 1}}
    (tmp_path / "cubes").mkdir()
    write_patches(tmp_path / "cubes" / "a.h5")
    assert rsforge("data stats --data-dir {} --json", tmp_path / "cubes") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sides"]["patch"]["modes"] == {"5 float32": 4} and told["counts"]["scene"] == {
        "flight 0": 2,
        "flight 1": 2,
    }


def test_no_folder_is_told(tmp_path, capsys):
    assert rsforge("data stats --data-dir {}", tmp_path / "missing") == 3
    assert "RSF-D001" in capsys.readouterr().err


def test_decibels_and_bytes_are_measured_apart(tmp_path, capsys):
    write_pairs(tmp_path / "one", ("agri",), 2, 32)
    write_pairs(tmp_path / "two", ("agri",), 2, 32)
    for path in sorted((tmp_path / "two" / "agri" / "s1").iterdir()):
        write(path.with_suffix(".tif"), -load(path)[..., None].astype(np.float32))
        path.unlink()
    assert rsforge("data stats --data-dir {} --json", tmp_path) == 0
    sides = json.loads(capsys.readouterr().out)["sides"]
    assert set(sides) == {"sar (float32)", "sar (uint8)", "optical"}
    assert sides["sar (uint8)"]["min"] > 0 > sides["sar (float32)"]["max"]


def test_names_with_line_breaks_do_not_break_the_table(tmp_path, capsys):
    (tmp_path / "a\nb").mkdir()
    (tmp_path / "a\nb" / "x.png").write_bytes(b"")
    save(tmp_path / "a\nb" / "y.png", fields(16, 0)[1])
    assert rsforge("data stats --data-dir {}", tmp_path) == 0
    assert "  a\\nb " in capsys.readouterr().out


def test_what_holds_no_patches_is_refused(tmp_path, capsys):
    write_pairs(tmp_path, ("agri",), 2, 32)
    assert rsforge("data stats --data-dir {} --layout patches", tmp_path) == 3
    assert "RSF-D001" in capsys.readouterr().err


def test_commands_that_look_at_data_do_not_load_torch():
    """It takes longer to import than most folders to be looked at."""
    names = ("audit", "split", "stats", "tile", "parquet_to_jsonl", "captions_to_jsonl", "prepare_classes")
    code = "import sys; " + "; ".join(f"import rsforge.recipes.data.{name}" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
