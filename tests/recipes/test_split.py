"""``data split`` through the command line."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from rsforge.data.split_file import load_split
from tests.data.pair_world import fields, save, write_pairs
from tests.data.test_items import write_patches
from tests.recipes.conftest import rsforge


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "data", ("a", "b", "c", "d", "e"), 2, 32)
    return tmp_path / "data"


def test_scenes_are_divided_and_stored(pairs, capsys):
    assert rsforge("data split --data-dir {} --val 0.2 --test 0.2 --json", pairs) == 0
    told = json.loads(capsys.readouterr().out)
    split = load_split(pairs / "split.json")
    assert (told["train"], told["val"], told["test"]) == (6, 2, 2) and told["digest"] == split.digest
    assert len({name.split("_p")[0] for name in split.sides["val"]}) == 1
    assert split.facts["kind"] == "pairs" and len(split.facts["data_digest"]) == 64


def test_the_same_split_again_is_nothing_to_do_and_another_needs_overwrite(pairs, capsys):
    assert rsforge("data split --data-dir {} --json", pairs) == 0
    assert rsforge("data split --data-dir {} --json", pairs) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["written"] is False
    assert rsforge("data split --data-dir {} --seed 1", pairs) == 2
    assert "RSF-U004" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --seed 1 --overwrite", pairs) == 0
    assert load_split(pairs / "split.json").seed == 1


def test_a_dry_run_writes_nothing(pairs, capsys):
    assert rsforge("data split --data-dir {} --dry-run --json", pairs) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["val"] == 2
    assert not (pairs / "split.json").exists()


@pytest.mark.parametrize("by", ["scene", "patch", "block", "coordinate"])
def test_what_is_not_known_is_refused(tmp_path, capsys, by):
    for k in range(4):
        for side, pixels in zip(("s1", "s2"), fields(32, k), strict=True):
            save(tmp_path / "agri" / side / f"{k}.png", pixels)
    assert rsforge("data split --data-dir {} --by {}", tmp_path, by) == 3
    assert "RSF-D011" in capsys.readouterr().err and not (tmp_path / "split.json").exists()
    if by != "block":
        assert rsforge("data split --data-dir {} --by {} --allow-leak", tmp_path, by) == 0
        assert load_split(tmp_path / "split.json").facts["leak"] is True
        assert "will flatter" in capsys.readouterr().err


def test_photographs_part_but_not_the_same_one_twice(tmp_path, capsys):
    for k in range(20):
        save(tmp_path / f"{k % 2}" / f"{k:02d}.png", fields(16, k // 2)[1])
    assert rsforge("data split --data-dir {} --val 0.3", tmp_path) == 0
    assert "scene of its own" in capsys.readouterr().err
    split = load_split(tmp_path / "split.json")
    side = dict(zip(names := [f"{k % 2}/{k:02d}.png" for k in range(20)], split.side_of(names), strict=True))
    assert [side[a] == side[b] for a, b in zip(names[::2], names[1::2], strict=True)] == [True] * 10
    assert len(split.sides["val"]) == 6


def test_patches_of_overlapping_windows(tmp_path, capsys):
    write_patches(tmp_path / "a.h5", 16)
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["scene"][:] = ["s"] * 16
        file["window"][:] = np.array([(0, 4 * k, 8, 8) for k in range(16)])
    assert rsforge("data split --data-dir {} --by patch", tmp_path) == 3
    assert "RSF-D011" in capsys.readouterr().err
    assert rsforge("data split --data-dir {} --by block --block-size 24", tmp_path) == 0
    split = load_split(tmp_path / "split.json")
    assert split.left_out and split.sides["val"] and split.sides["train"][0].startswith("a.h5#")


def test_shares_that_leave_nothing(pairs, capsys):
    assert rsforge("data split --data-dir {} --val 0.6 --test 0.6", pairs) == 2
    assert "RSF-U005" in capsys.readouterr().err
