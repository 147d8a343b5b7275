"""The audit finds what was spoilt, all of it and nothing else, and says so on a page."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest

from rsforge.recipes import audit
from tests.data.pair_world import fields, load, save, write_pairs
from tests.data.test_items import write_patches
from tests.recipes.conftest import rsforge


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "data", ("agri", "urban"), 6)
    return tmp_path / "data"


def found(folder):
    faults = json.loads((folder / "audit.json").read_text())["faults"]
    return {(fault["kind"], fault["item"]) for fault in faults}


def test_a_sound_set_has_nothing_amiss_twice(pairs, capsys):
    for _ in range(2):  # its own files do not lead it astray
        assert rsforge("data audit --data-dir {} --json", pairs) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["errors"] == told["warnings"] == 0 and told["items"] == 12 and told["files"] == 24
    assert "nothing is amiss" in (pairs / "audit.html").read_text()


def test_what_was_removed_renamed_and_shifted_is_found_and_nothing_else(pairs, capsys):
    s1, s2 = (sorted((pairs / "agri" / side).iterdir()) for side in ("s1", "s2"))
    s1[0].unlink()
    s1[1].rename(s1[1].with_name("ROIs1970_fall_s1_0_p77.png"))
    save(s2[2], np.roll(load(s2[2]), (4, 0), (0, 1)))
    save(s1[3], np.roll(load(s1[3]), (0, 4), (0, 1)))
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert found(pairs) == {
        ("orphan", "agri/s2/ROIs1970_fall_s2_0_p0.png"),
        ("orphan", "agri/s2/ROIs1970_fall_s2_0_p1.png"),
        ("orphan", "agri/s1/ROIs1970_fall_s1_0_p77.png"),
        ("misregistered", "agri/ROIs1970_fall_0_p2"),
        ("misregistered", "agri/ROIs1970_fall_0_p3"),
    }
    shifts = [f["figures"] for f in json.loads((pairs / "audit.json").read_text())["faults"] if f["figures"]]
    assert shifts[0]["rows"] == pytest.approx(4, abs=0.5) and shifts[0]["cols"] == pytest.approx(0, abs=0.5)
    assert shifts[1]["rows"] == pytest.approx(0, abs=0.5) and shifts[1]["cols"] == pytest.approx(-4, abs=0.5)
    said = capsys.readouterr().err
    assert "error[RSF-D013]: 5 faults in 5 of 10 pairs" in said and "audit.html" in said


def test_every_other_fault_of_pairs(pairs):
    s1, s2 = (sorted((pairs / "urban" / side).iterdir()) for side in ("s1", "s2"))
    s1[0].write_bytes(b"no picture")
    save(s2[1], np.full((96, 96, 3), 7, np.uint8))
    save(s2[2], load(s2[2])[:90])
    save(s2[3], load(s2[3])[..., 0])
    save(s1[4], load(s1[5]))
    assert rsforge("data audit --data-dir {} --output-dir {}", pairs, pairs.parent / "out") == 3
    name = "urban/ROIs1970_fall_1_p{}".format
    kinds = found(pairs.parent / "out")
    assert kinds >= {("corrupt", name(0)), ("constant", name(1)), ("size", name(2)), ("gray", name(3))}
    assert ("duplicate", name(5)) in kinds and {item for _, item in kinds} == {name(k) for k in range(6) if k != 4}
    assert not (pairs / "audit.json").exists()
    assert rsforge("data audit --data-dir {} --radiometry db --allow-gray-optical", pairs) == 3
    assert ("radiometry", name(4)) in found(pairs) and ("gray", name(3)) not in found(pairs)
    assert rsforge("data audit --data-dir {} --image-size 64", pairs) == 3
    assert ("size", "agri/ROIs1970_fall_0_p0") in found(pairs)


def test_warnings_alone_are_no_failure(pairs, capsys):
    path = sorted((pairs / "agri" / "s1").iterdir())[0]
    burnt = load(path).copy()
    burnt[:, :30] = 255
    save(path, burnt)
    assert rsforge("data audit --data-dir {} --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"saturated": 1}


def test_a_leaking_split_is_an_error(pairs):
    assert rsforge("data split --data-dir {} --val 0.5", pairs) == 0
    assert rsforge("data audit --data-dir {}", pairs) == 0
    assert rsforge("data split --data-dir {} --by patch --allow-leak --overwrite", pairs) == 0
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert {kind for kind, _ in found(pairs)} == {"leak"}
    first = sorted((pairs / "agri" / "s1").iterdir())[0]
    save(first, fields(96, 99)[0])
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert ("split", "split.json") in found(pairs)
    (pairs / "split.json").write_text("{}")
    assert rsforge("data audit --data-dir {}", pairs) == 3
    assert {item for kind, item in found(pairs) if kind == "split"} == {"split.json"}


def test_the_page_is_whole_and_escapes_names(tmp_path):
    root = tmp_path / "<b>data"
    names = ["<script>alert(1)<|script>.png", 'a&b".png', os.fsdecode(b"\xff\xfe.png")]
    for k, name in enumerate(names):
        save(root / "plain" / f"{k}.png", np.full((16, 16, 3), k, np.uint8))
        (root / "plain" / f"{k}.png").rename(root / "plain" / name)
    assert rsforge("data audit --data-dir {}", root) == 3
    page = (root / "audit.html").read_text("utf-8")
    assert (
        "<script" not in page
        and "&lt;script&gt;alert(1)" in page
        and "a&amp;b&quot;" in page
        and "&lt;b&gt;data" in page
    )
    assert page.count("<img") == 3 and "prefers-color-scheme: dark" in page
    assert set(re.findall(r'(?:src|href)="(\w+:|#|.)', page)) <= {"data:", "#"} and "http" not in page


def test_the_page_draws_some_and_names_the_others(tmp_path):
    for k in range(30):
        save(tmp_path / f"{k:02d}.png", np.full((16, 16, 3), k, np.uint8))
    assert rsforge("data audit --data-dir {}", tmp_path) == 3
    page = (tmp_path / "audit.html").read_text("utf-8")
    assert page.count("<img") == 12 and "and 18 more" in page and "29.png" in page


def test_photographs_captions_and_patches(tmp_path):
    (tmp_path / "cubes").mkdir()
    write_patches(tmp_path / "cubes" / "a.h5")
    assert rsforge("data audit --data-dir {}", tmp_path / "cubes") == 0
    for k in range(3):
        save(tmp_path / "captioned" / f"{k}.png", fields(32, k)[1])
    (tmp_path / "captioned" / "metadata.jsonl").write_text('{"file_name": "0.png"}\n{"file_name": "1.png"}\nx\n')
    assert rsforge("data audit --data-dir {}", tmp_path / "captioned") == 3
    assert found(tmp_path / "captioned") == {("orphan", "2.png"), ("table", "metadata.jsonl:3")}


def test_a_dry_run_counts_and_writes_nothing(pairs, capsys):
    assert rsforge("data audit --data-dir {} --dry-run --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["files"] == 24
    assert not list(pairs.glob("audit*"))


def test_a_folder_that_cannot_be_written_is_told_before_the_work(pairs, capsys, monkeypatch):
    monkeypatch.setattr(audit.os, "access", lambda *_: False)
    monkeypatch.setattr(audit, "examine", None)
    assert rsforge("data audit --data-dir {}", pairs) == 6
    said = capsys.readouterr().err
    assert "RSF-E002" in said and "--output-dir" in said
