"""``rsforge data synth`` through the command line: plans, places, replacement, faults."""

from __future__ import annotations

import errno
import json

import pytest

from rsforge import durable
from rsforge.data.io.dataset_card import read_card
from tests.worlds.commands import rsforge

KINDS = ("tiles", "pairs", "pairs-csv", "captions", "cube", "scene")
LINE = "data synth --kind {} --count {} --size 16 --seed 5 --output-dir {}"


def tree(root):
    return {
        p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"
    }


def result(capsys):
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_world_is_drawn_whole_and_the_same_again(kind, tmp_path, capsys):
    one, two, planned = tmp_path / "one", tmp_path / "two", tmp_path / "plan"
    assert rsforge(f"{LINE} --dry-run --json", kind, 3, planned) == 0 and not planned.exists()
    plan = result(capsys)["plan"]
    assert rsforge(f"{LINE} --json", kind, 3, one) == 0
    told = result(capsys)
    assert all(told[k] == plan[k] for k in ("kind", "count", "size", "seed", "files"))
    assert rsforge(LINE, kind, 3, two) == 0
    assert tree(one) == tree(two) and len(tree(one)) == told["files"]
    assert told["next"].startswith("rsforge data ") and str(one) in told["next"]
    assert read_card(one)["world"] == {"kind": kind, "count": 3, "size": 16, "seed": 5}


def test_the_card_says_the_unit_of_the_sar(tmp_path):
    for kind, unit in (("pairs", "uint8"), ("pairs-csv", "uint8"), ("scene", "db")):
        assert rsforge(LINE, kind, 1, tmp_path / kind) == 0
        assert read_card(tmp_path / kind)["radiometry"]["unit"] == unit


def test_counts_default_by_kind(tmp_path, capsys):
    for kind, count in (("tiles", 16), ("pairs", 16), ("cube", 1), ("scene", 1)):
        assert rsforge("data synth --kind {} --output-dir {} --dry-run --json", kind, tmp_path / kind) == 0
        assert result(capsys)["plan"]["count"] == count


def test_another_seed_is_another_world(tmp_path):
    assert rsforge(LINE, "tiles", 2, tmp_path / "a") == 0
    assert rsforge(LINE.replace("5", "6"), "tiles", 2, tmp_path / "b") == 0
    assert tree(tmp_path / "a")["0001_0001.png"] != tree(tmp_path / "b")["0001_0001.png"]


def test_a_folder_with_files_is_refused(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    for more in ("", " --overwrite", " --dry-run"):
        assert rsforge(LINE + more, "tiles", 2, tmp_path) == 2
        assert "RSF-U004" in capsys.readouterr().err
    assert set(tree(tmp_path)) == {"mine.txt"}


def test_only_an_earlier_world_is_replaced(tmp_path, capsys):
    root = tmp_path / "world"
    assert rsforge(LINE, "pairs", 6, root) == 0
    (root / "agri" / "mine.txt").write_text("mine")
    assert rsforge(LINE, "tiles", 2, root) == 2 and "--overwrite" in capsys.readouterr().err
    assert rsforge(f"{LINE} --overwrite", "tiles", 2, root) == 0
    expected = {"0001_0001.png", "0002_0001.png", "classes.txt", "dataset.json", "agri/mine.txt"}
    assert set(tree(root)) == expected and not (root / "urban").exists()
    (root / "0003_0001.png").write_text("mine")
    assert rsforge(f"{LINE} --overwrite", "tiles", 3, root) == 2
    assert "0003_0001.png" in capsys.readouterr().err and (root / "0003_0001.png").read_text() == "mine"


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_leaves_whole_files_and_a_world_that_can_be_replaced(kind, tmp_path, capsys, monkeypatch):
    left = [3]

    def full(operation):
        left[0] -= operation == "rename"
        if operation == "write" and left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "before_operation", full)
        left[0] = 1 if kind in ("captions", "cube", "scene") else 3
        assert rsforge(LINE, kind, 3, tmp_path) == 6
    assert "RSF-E001" in capsys.readouterr().err
    there = tree(tmp_path)
    assert "dataset.json" not in there and not any(".tmp-" in name for name in there)
    assert rsforge(LINE, kind, 3, tmp_path) == 2 and "RSF-U004" in capsys.readouterr().err
    assert rsforge(f"{LINE} --overwrite", kind, 3, tmp_path) == 0
    assert ".world.json" not in tree(tmp_path) and read_card(tmp_path)["world"]["kind"] == kind


def test_links_that_lead_out_are_not_followed_to_remove(tmp_path, capsys):
    root, outside = tmp_path / "world", tmp_path / "outside"
    assert rsforge(LINE, "pairs", 1, root) == 0
    (root / "agri").rename(outside)
    (root / "agri").symlink_to(outside)
    before = tree(outside)
    assert rsforge(f"{LINE} --overwrite", "tiles", 1, root) == 3
    assert "RSF-D005" in capsys.readouterr().err and tree(outside) == before


def test_a_file_in_place_of_the_folder_is_named(tmp_path, capsys):
    (tmp_path / "world").write_text("mine")
    assert rsforge(LINE, "tiles", 1, tmp_path / "world") == 6
    assert "RSF-E008" in capsys.readouterr().err


def test_every_season_is_for_pairs_with_tables_and_can_be_replaced(tmp_path, capsys):
    assert rsforge(f"{LINE} --every-season", "pairs", 3, tmp_path / "one") == 2
    assert "--every-season draws scenes of --kind pairs-csv" in capsys.readouterr().err
    assert rsforge(f"{LINE} --every-season", "pairs-csv", 20, tmp_path / "one") == 0
    whole = set(tree(tmp_path / "one"))
    assert rsforge(f"{LINE} --overwrite", "pairs-csv", 3, tmp_path / "one") == 0
    assert len(tree(tmp_path / "one")) == 3 * 2 + 1 + 1 < len(whole)
