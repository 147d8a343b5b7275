"""Temporary files of dead writers go, those of others stay."""

from __future__ import annotations

import os
from pathlib import Path

from rsforge import durable, leftovers

DEAD = 99_999_999  # more than the system gives to any process


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_leftovers_are_swept_but_not_those_of_other_runs(tmp_path):
    for folder in ("in", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{durable.TEMPORARY}1-a").touch()
    (tmp_path / "other" / durable.LOCK).touch()
    (tmp_path / f"{durable.TEMPORARY}1-b").touch()
    (tmp_path / "c").touch()
    leftovers.sweep(tmp_path)
    assert names(tmp_path) == {"in", "other", "c"} and names(tmp_path / "in") == set()
    assert len(names(tmp_path / "other")) == 2


def test_only_leftovers_of_dead_writers_of_the_same_file_go(tmp_path):
    own = f"{durable.TEMPORARY}{os.getpid()}-a"
    others = {own, f"{durable.TEMPORARY}{DEAD}-b", f"{durable.TEMPORARY}x-a"}
    for name in (*others, f"{durable.TEMPORARY}{DEAD}-a"):
        (tmp_path / name).touch()
    leftovers.sweep_for([tmp_path / "a", tmp_path / "none" / "a"])
    assert names(tmp_path) == others
