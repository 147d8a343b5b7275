"""The audit finds what was spoilt, all of it and nothing else, and says so on a page."""

from __future__ import annotations

import json
import os
import re

import h5py
import numpy as np
import pytest

from rsforge.data.io.dataset_card import write_card
from rsforge.recipes.data import audit
from tests.worlds.commands import rsforge
from tests.worlds.cube_patches import write_patches
from tests.worlds.cut_patches import write_overlapping_pairs
from tests.worlds.pairs import fields, load, save, write_pairs


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "data", ("agri", "urban"), 6)
    return tmp_path / "data"


def audit_faults(folder):
    faults = json.loads((folder / "audit.json").read_text())["faults"]
    return {(fault["kind"], fault["item"]) for fault in faults}


def test_a_sound_set_has_nothing_amiss_twice(pairs, capsys):
    for _ in range(2):  # its own files do not lead it astray
        assert rsforge("data audit --data-dir {} --json", pairs) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["errors"] == result["warnings"] == 0 and result["items"] == 12 and result["files"] == 24
    assert "nothing is amiss" in (pairs / "audit.html").read_text()


def test_what_was_removed_renamed_and_shifted_is_found_and_nothing_else(pairs, capsys):
    s1, s2 = (sorted((pairs / "agri" / folder).iterdir()) for folder in ("s1", "s2"))
    s1[0].unlink()
    s1[1].rename(s1[1].with_name("ROIs1970_fall_s1_0_p77.png"))
    save(s2[2], np.roll(load(s2[2]), (4, 0), (0, 1)))
    save(s1[3], np.roll(load(s1[3]), (0, 4), (0, 1)))
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert audit_faults(pairs) == {
        ("orphan", "agri/s2/ROIs1970_fall_s2_0_p0.png"),
        ("orphan", "agri/s2/ROIs1970_fall_s2_0_p1.png"),
        ("orphan", "agri/s1/ROIs1970_fall_s1_0_p77.png"),
        ("misregistered", "agri/ROIs1970_fall_0_p2"),
        ("misregistered", "agri/ROIs1970_fall_0_p3"),
    }
    shifts = [f["figures"] for f in json.loads((pairs / "audit.json").read_text())["faults"] if f["figures"]]
    assert shifts[0]["rows"] == pytest.approx(4, abs=0.5) and shifts[0]["cols"] == pytest.approx(0, abs=0.5)
    assert shifts[1]["rows"] == pytest.approx(0, abs=0.5) and shifts[1]["cols"] == pytest.approx(-4, abs=0.5)
    assert (pairs / "audit.html").read_text("utf-8").count(
        "<img"
    ) == 3 + 2 * 3 + 2 * 10  # and the contact sheet of the ten pairs left
    said = capsys.readouterr().err
    assert "error[RSF-D013]: 5 faults in 2 of 10 pairs and 3 other places" in said and "audit.html" in said


def test_every_other_fault_of_pairs(pairs):
    s1, s2 = (sorted((pairs / "urban" / folder).iterdir()) for folder in ("s1", "s2"))
    s1[0].write_bytes(b"no picture")
    save(s2[1], np.full((96, 96, 3), 7, np.uint8))
    save(s2[2], load(s2[2])[:90])
    save(s2[3], load(s2[3])[..., 0])
    save(s1[4], load(s1[5]))
    assert rsforge("data audit --data-dir {} --output-dir {}", pairs, pairs.parent / "out") == 3
    name = "urban/ROIs1970_fall_1_p{}".format
    kinds = audit_faults(pairs.parent / "out")
    assert kinds >= {("corrupt", name(0)), ("constant", name(1)), ("size", name(2)), ("gray", name(3))}
    assert ("duplicate", name(5)) in kinds and {item for _, item in kinds} == {name(k) for k in range(6) if k != 4}
    assert not (pairs / "audit.json").exists()
    assert rsforge("data audit --data-dir {} --radiometry db --allow-gray-optical", pairs) == 3
    assert ("radiometry", name(4)) in audit_faults(pairs) and ("gray", name(3)) not in audit_faults(pairs)
    assert rsforge("data audit --data-dir {} --image-size 64", pairs) == 3
    assert ("size", "agri/ROIs1970_fall_0_p0") in audit_faults(pairs)


def test_warnings_alone_are_no_failure(pairs, capsys):
    path = sorted((pairs / "agri" / "s1").iterdir())[0]
    burnt = load(path).copy()
    rows, cols = np.mgrid[: burnt.shape[0], : burnt.shape[1]]
    burnt[cols < 24 + 8 * np.sin(rows / 5)] = 255  # the bays of snow or cloud
    save(path, burnt)
    assert rsforge("data audit --data-dir {} --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"blank": 1}


def test_edges_of_an_image_in_eight_bits_are_an_error_until_their_value_is_given(pairs, capsys):
    """What straight edges bound was not measured, and no dark or white ground."""
    path = sorted((pairs / "agri" / "s2").iterdir())[0]
    turned = load(path).copy()
    rows, cols = np.mgrid[: turned.shape[0], : turned.shape[1]]
    turned[3 * rows + cols < 60] = 0
    save(path, turned)
    assert rsforge("data audit --data-dir {} --json", pairs) == 3
    result = json.loads(capsys.readouterr().out)
    assert result["counts"] == {"fill": 1}
    assert rsforge("data audit --data-dir {} --fill 0 --json", pairs) == 0


def test_a_leaking_split_is_an_error(pairs):
    assert rsforge("data split --data-dir {} --val 0.5", pairs) == 0
    assert rsforge("data audit --data-dir {}", pairs) == 0
    assert rsforge("data split --data-dir {} --by patch --allow-leak --overwrite", pairs) == 0
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert {kind for kind, _ in audit_faults(pairs)} == {"leak"}
    first = sorted((pairs / "agri" / "s1").iterdir())[0]
    save(first, fields(96, 99)[0])
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert ("split", "split.json") in audit_faults(pairs)
    (pairs / "split.json").write_text("{}")
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert {item for kind, item in audit_faults(pairs) if kind == "split"} == {"split.json"}


def test_photographs_captions_and_patches(tmp_path):
    (tmp_path / "cubes").mkdir()
    write_patches(tmp_path / "cubes" / "a.h5")
    assert rsforge("data audit --data-dir {}", tmp_path / "cubes") == 0
    for k in range(3):
        save(tmp_path / "captioned" / f"{k}.png", fields(32, k)[1])
    (tmp_path / "captioned" / "metadata.jsonl").write_text('{"file_name": "0.png"}\n{"file_name": "1.png"}\nx\n')
    assert rsforge("data audit --data-dir {}", tmp_path / "captioned") == 3
    assert audit_faults(tmp_path / "captioned") == {("orphan", "2.png"), ("table", "metadata.jsonl:3")}


def test_a_dry_run_counts_and_writes_nothing(pairs, capsys):
    assert rsforge("data audit --data-dir {} --dry-run --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["files"] == 24
    assert not list(pairs.glob("audit*"))


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(pairs, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(audit, "inspect_items", None)
    for line in (
        "data audit --data-dir {}",
        "data audit --data-dir {} --dry-run",
        "data split --data-dir {} --dry-run",
    ):
        assert rsforge(line, pairs) == 6
        said = capsys.readouterr().err
        assert "RSF-E002" in said and "--output" in said
    assert rsforge("data audit --data-dir {} --dry-run --output-dir {}", pairs, next(pairs.rglob("*.png")) / "x") == 6
    assert "RSF-E008" in capsys.readouterr().err


def test_an_audit_with_faults_prints_its_result_all_the_same(pairs, capsys):
    next((pairs / "agri" / "s1").iterdir()).unlink()
    assert rsforge("data audit --data-dir {} --json", pairs) == 3
    result = json.loads(capsys.readouterr().out.splitlines()[0])
    result = result.get("result", result)
    assert result["errors"] == 1 and result["counts"] == {"orphan": 1} and result["audit"].endswith("audit.json")


def test_files_that_belong_to_nothing_are_warned_of(pairs, capsys):
    strays = ["third/1.png", "third/deep/2.PNG", "top.png", "agri/s1/extra.gif", "agri/s2/scene.heic"]
    for name in [*strays, "notes.txt", ".hidden/3.png", "audit.json", "data.txt"]:
        (pairs / name).parent.mkdir(parents=True, exist_ok=True)
        (pairs / name).write_bytes(b"x")
    assert rsforge("data audit --data-dir {} --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"stray": 5}
    assert audit_faults(pairs) == {("stray", name) for name in strays}
    assert rsforge("data stats --data-dir {} --json", pairs) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["strays"] == 5 and "5 images belong to nothing found (agri/s1/extra.gif)" in said.err
    assert rsforge("data audit --data-dir {} --terrains agri --json", pairs) == 0
    assert "stray" not in json.loads(capsys.readouterr().out)["counts"]


@pytest.fixture
def regions(tmp_path):
    """Three regions of three pairs, each with its table."""
    for n in range(3):
        folder, rows = f"r_00{n}", []
        for k in range(1, 4):
            names = [f"{folder}/s{side}_00{n}/img_p{k}.png" for side in (1, 2)]
            for name, pixels in zip(names, fields(32, 10 * n + k), strict=True):
                save(tmp_path / "regions" / name, pixels)
            rows.append(",".join([*names, "tropical"]))
        table = "\n".join(["s1_fileName,s2_fileName,region", *rows, ""])
        (tmp_path / "regions" / f"data_{folder}.csv").write_text(table)
    return tmp_path / "regions"


@pytest.mark.parametrize("line", ["../../out.png,x.png,", "\xff,x,"])
def test_a_bad_table_is_a_fault_and_the_rest_is_judged(regions, line, capsys):
    table = regions / "data_r_001.csv"
    table.write_bytes(table.read_bytes() + line.encode("latin-1"))
    save(regions / "r_002/s2_002/img_p1.png", np.full((32, 32, 3), 7, np.uint8))
    assert rsforge("data audit --data-dir {}", regions) == 3
    kinds = audit_faults(regions)
    assert {("table", "constant")} == {tuple(sorted({k for k, _ in kinds}, reverse=True))}
    assert any(item.startswith("data_r_001.csv") for kind, item in kinds if kind == "table")
    for command in ("stats", "split --by region"):
        capsys.readouterr()
        assert rsforge(f"data {command} --data-dir {{}}", regions) == 3
        assert re.search("RSF-D00[56]", capsys.readouterr().err)


@pytest.mark.parametrize("content", [None, b"", b"s1_fileName,s2_fileName,region\n"])
def test_a_lost_or_empty_table_is_warned_of(regions, content):
    table = regions / "data_r_000.csv"
    table.unlink() if content is None else table.write_bytes(content)
    assert rsforge("data audit --data-dir {}", regions) == 0
    assert audit_faults(regions) == {("untold", "data_r_000.csv")}


def test_the_card_is_no_pair(pairs, capsys):
    write_card(pairs, "pairs", complete=False)
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert "1 fault in 0 of 12 pairs and 1 other place" in capsys.readouterr().err


def test_one_grey_image_among_colours_is_warned_of(pairs):
    first = sorted((pairs / "agri" / "s2").iterdir())[0]
    save(first, load(first)[..., 0])
    assert rsforge("data audit --data-dir {} --allow-gray-optical", pairs) == 0
    assert audit_faults(pairs) == {("mixed", "agri/ROIs1970_fall_0_p0")}
    for path in (pairs / "agri" / "s2").iterdir():
        pixels = load(path)
        save(path, pixels if pixels.ndim == 2 else pixels[..., 0])
    assert rsforge("data audit --data-dir {} --allow-gray-optical", pairs) == 0
    assert audit_faults(pairs) == set()


def test_a_changed_file_is_named(pairs):
    assert rsforge("data split --data-dir {}", pairs) == 0
    first = sorted((pairs / "agri" / "s1").iterdir())[0]
    save(first, fields(96, 99)[0])
    assert rsforge("data audit --data-dir {}", pairs) == 3
    faults = json.loads((pairs / "audit.json").read_text())["faults"]
    assert "1 (agri/ROIs1970_fall_0_p0)" in next(f["reason"] for f in faults if f["kind"] == "split")


def test_shared_pixels_are_named_and_leak_where_a_split_parts_them(tmp_path, capsys):
    (names, *_) = write_overlapping_pairs(tmp_path)
    line = "data audit --data-dir {} --allow-gray-optical --json"
    assert rsforge(line, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"overlap": 4}
    fault = json.loads((tmp_path / "audit.json").read_text())["faults"][0]
    assert fault["item"] == names[0] and fault["figures"] | {"correlation": 1} == {
        "other": names[1], "share": 0.5, "rows": 0, "cols": 32, "correlation": 1,
    }  # fmt: skip
    assert f"with {names[1]}: 50% of their pixels are the same" in (tmp_path / "audit.html").read_text()
    assert rsforge(f"{line} --no-overlap-by-content", tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {}
    split = "data split --data-dir {} --by patch --val 0.5 --allow-leak --no-overlap-by-content --quiet"
    assert rsforge(split, tmp_path) == 0
    assert rsforge(line, tmp_path) == 3
    assert "leak" in {kind for kind, _ in audit_faults(tmp_path)}


def test_an_hdf5_cube_is_named_with_the_command_that_cuts_it(tmp_path, capsys):
    with h5py.File(tmp_path / "scene.he5", "w") as file:
        file["cube"] = np.ones((4, 5, 6), np.float32)
    assert rsforge("data audit --data-dir {} --output-dir {}", tmp_path, tmp_path / "out") == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "cannot be used as patches: it holds no aviris" in told and "rsforge data hsi-patches --input" in told
