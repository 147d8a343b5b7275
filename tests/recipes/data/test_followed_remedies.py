"""Remedies are followed as they stand in errors, and then the command works."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from rsforge.cli.main import run
from tests.worlds import published_layouts as worlds
from tests.worlds.awkward_cubes import NM, draw_reflectance
from tests.worlds.commands import command
from tests.worlds.cube_formats import Stored, write_envi
from tests.worlds.rasters import NORTH_UP, ramp, write


@pytest.fixture
def follow(capsys, tmp_path, monkeypatch):
    """Run a command that fails, then what its remedy says in backticks."""
    monkeypatch.chdir(tmp_path)

    def call(line: str, *paths: object) -> str:
        assert run(command(f"{line} --json", *paths)) == 3
        fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
        for words in map(shlex.split, re.findall(r"`([^`]+)`", fix)):
            execute(words)
        capsys.readouterr()
        return fix

    return call


def execute(words: list[str]) -> None:
    if words[0] == "rsforge":
        assert run(words[1:]) == 0
        return
    scripts = sysconfig.get_path("scripts")
    program = shutil.which(
        words[0], path=f"{scripts}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if program is None:
        pytest.skip(f"no {words[0]} here")
    subprocess.run([program, *words[1:]], check=True, capture_output=True, timeout=60)


AUDIT = "data audit --data-dir {} --output-dir {}"


def test_links_are_copied(tmp_path, follow):
    for n in range(3):
        worlds.save_pairs(tmp_path / "store", (f"a{n}.png", f"b{n}.png"))
        for side, name in (("s1", f"a{n}"), ("s2", f"b{n}")):
            (tmp_path / "set" / side).mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / side / f"{n}.png").symlink_to(tmp_path / "store" / f"{name}.png")
    assert "cp -rL" in follow(AUDIT, "set", "out")
    assert run(command(AUDIT, "set_files", "out")) == 0


def test_tars_are_extracted(tmp_path, follow):
    worlds.webdataset(tmp_path / "set" / "a.tar")
    follow(AUDIT, "set", "out")
    assert run(command(AUDIT, "OUT/rsicd_images", "out")) == 0


@pytest.mark.parametrize("place", ["my set", "my set/a.tar.gz"])
def test_compressed_tars_are_unpacked(tmp_path, follow, place):
    worlds.webdataset(tmp_path / "my set" / "a.tar")
    subprocess.run(["gzip", tmp_path / "my set" / "a.tar"], check=True)
    line = "data parquet-to-jsonl --output-dir out --parquet-path {}"
    assert "gunzip -k" in follow(line, tmp_path / place)
    assert run(command(line, tmp_path / "my set" / "a.tar")) == 0


def test_folders_of_compressed_tars_say_so(tmp_path, follow):
    worlds.webdataset(tmp_path / "set" / "a.tar")
    subprocess.run(["gzip", tmp_path / "set" / "a.tar"], check=True)
    assert "gunzip -k" in follow(AUDIT, "set", "out")


def test_sides_that_are_stated_become_a_split(tmp_path, follow):
    for k, side in enumerate(("train", "test")):
        for n in range(2):
            worlds.save(tmp_path / "my set" / side / f"{n}.png", 10 * k + n)
    line = "vae train --data-dir {} --dry-run --image-size 16"
    assert "--by stated" in follow(line, tmp_path / "my set") and run(command(line, tmp_path / "my set")) == 0


def test_names_are_made_alike(tmp_path, follow):
    worlds.save_pairs(tmp_path / "set", *((f"s1/Field_{n}.png", f"s2/field_{n}.png") for n in range(3)))
    assert "the same capital letters" in follow(AUDIT, "set", "out")
    for path in list((tmp_path / "set" / "s1").iterdir()):
        path.rename(path.with_name(path.name.lower()))
    assert run(command(AUDIT, "set", "out")) == 0


def test_encodings_are_converted(tmp_path, follow):
    text = "a.png\t机场 机场 港口\n"
    (tmp_path / "c.txt").write_bytes(text.encode("gbk"))
    line = "data captions-to-jsonl --caption-file {} --output-file {} --json"
    assert run(command(line, "c.txt", "m.jsonl")) == 3
    (tmp_path / "n.txt").write_bytes((tmp_path / "c.txt").read_bytes().decode("gbk").encode())
    assert run(command(line, "n.txt", "m.jsonl")) == 0
    assert json.loads((tmp_path / "m.jsonl").read_text())["text"] == "机场 机场 港口"


def test_the_other_way_of_dividing_works(tmp_path, capsys):
    for k, folder in enumerate("abcd"):
        worlds.save_pairs(tmp_path / folder, *((f"s1/{k}{n}.png", f"s2/{k}{n}.png") for n in range(2)), first=9 * k)
    line = "data split --data-dir {} --val 0.3 --json"
    assert run(command(line, tmp_path)) == 3
    fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    ways = re.findall(r"--[a-z-]+(?: region)?", fix)
    assert ways == ["--by region", "--allow-leak"]
    for way in ways:
        assert run(command(f"{line} {way} --output {{}}", tmp_path, tmp_path / f"{len(way)}.json")) == 0


def test_pairs_of_one_ground_are_divided_in_the_way_that_is_named(tmp_path, capsys):
    """Scenes of one ground hang together whatever leaks are allowed: --allow-leak alone would leave nothing."""
    for n in range(4):
        for side, bands in (("s1", 1), ("s2", 3)):
            (tmp_path / side).mkdir(exist_ok=True)
            write(tmp_path / side / f"{n}.tif", draw_bands(n, bands), crs="EPSG:32632")
    line = "data split --data-dir {} --val 0.3"
    assert run(command(f"{line} --json", tmp_path)) == 3
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["fix"] == "divide --by patch --allow-leak"
    assert run(command(f"{line} --by scene --allow-leak --json", tmp_path)) == 3
    assert "such as --by patch --allow-leak" in json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    train = "cyclegan train --data-dir {} --image-size 32 --base-width 4 --lambda-content 0 --dry-run --json"
    assert run(command(train, tmp_path)) == 3
    fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    assert "divide within it by `rsforge data split --by patch --allow-leak`" in fix
    assert run(command(f"{line} --by patch --allow-leak", tmp_path)) == 0
    assert run(command(train, tmp_path)) == 0


def draw_bands(seed: int, bands: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 255, (32, 32, bands), np.uint8)


def test_tables_of_images_are_extracted(tmp_path, follow):
    worlds.shards_of_sides(tmp_path / "shards")
    assert "parquet-to-jsonl" in follow(AUDIT, "shards", "out")
    assert run(command(AUDIT, "OUT/rsicd_images", "out")) == 0


def test_cubes_are_cut(tmp_path, capsys):
    write_envi(tmp_path / "in", Stored(draw_reflectance(), NM))
    assert run(command(f"{AUDIT} --json", tmp_path / "in", tmp_path / "audit")) == 3
    fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    (line,) = re.findall(r"`rsforge ([^`]+)`", fix)
    words = shlex.split(line.replace("OUT", shlex.quote(str(tmp_path / "out"))))
    assert run([*words, "--patch-size", "16"]) == 0
    assert run(command(AUDIT, tmp_path / "out", tmp_path / "audit")) == 0


@pytest.mark.parametrize(("name", "way"), [("{row}_{col}", "--by patch --allow-leak"), ("x{x}_y{y}", "--by block")])
def test_one_scene_is_divided_in_the_way_that_is_named(tmp_path, capsys, name, way):
    for row in range(3):
        for col in range(3):
            stem = name.format(row=row, col=col, x=32 * col, y=32 * row)
            worlds.save(tmp_path / f"north_{stem}.png", 10 * row + col)
    line = "data split --data-dir {} --val 0.3 --json"
    assert run(command(line, tmp_path)) == 3
    assert f"such as {way}, or" in json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    assert run(command(f"{line} {way}" + (" --block-size 32" if "block" in way else ""), tmp_path)) == 0


def test_grids_are_warped_alike(tmp_path, capsys):
    for side, bands, moved in (("s1", 1, 0.0), ("s2", 3, 2.0)):
        (tmp_path / side).mkdir()
        values = ramp(16, 16, bands, "uint8") if bands == 3 else ramp(16, 16, 1, "float32") - 20
        place = NORTH_UP.translation(moved, 0) @ NORTH_UP if moved else NORTH_UP
        write(tmp_path / side / "x.tif", values, transform=place, crs="EPSG:32632")
    assert run(command(AUDIT + " --json", tmp_path, tmp_path / "out")) == 3
    fix = json.loads(capsys.readouterr().err.splitlines()[-1])["fix"]
    assert "rio warp IMAGE NEW --like OTHER" in fix
    execute(["rio", "warp", str(tmp_path / "s2/x.tif"), str(tmp_path / "y.tif"), "--like", str(tmp_path / "s1/x.tif")])
    (tmp_path / "y.tif").replace(tmp_path / "s2" / "x.tif")
    assert run(command("data stats --data-dir {}", tmp_path)) == 0


@pytest.mark.parametrize("scaled", [False, True])
def test_a_value_that_is_found_in_patches_is_left_out_of_them(tmp_path, capsys, scaled):
    """The audit of patches names the value as they hold it; the cube may store another one, which nobody knows then."""
    values = np.tile(draw_reflectance(), (1, 2, 1))
    values[:, 20:] = -0.005
    stored = (values * 10000).round().astype(np.int16) if scaled else values
    write_envi(tmp_path / "in", Stored(stored, NM), *["reflectance_scale_factor = 10000"] * scaled)
    cut = "data hsi-patches --input {} --output-dir {} --patch-size 16 --min-valid 0.2"
    assert run(command(cut, tmp_path / "in", tmp_path / "out")) == 0
    capsys.readouterr()
    assert run(command(f"{AUDIT} --json", tmp_path / "out", tmp_path / "audit")) == 3
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    (fault,) = json.loads((tmp_path / "audit" / "audit.json").read_text())["faults"]
    assert fault["kind"] == "unmeasured" and "`rsforge data hsi-patches --fill VALUE`" in error["fix"]
    value = fault["reason"].split()[0]
    assert run(command(f"{AUDIT} --fill {value}", tmp_path / "out", tmp_path / "audit")) == 2
    again = f"{cut} --fill {value} --overwrite"
    assert run(command(again, tmp_path / "in", tmp_path / "out")) == 0
    assert f"with {value} in every band" in " ".join(capsys.readouterr().err.split())
    assert run(command(AUDIT, tmp_path / "out", tmp_path / "audit")) == 0
