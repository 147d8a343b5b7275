"""Folders that a command makes before it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from rsforge.cli.output_places import take_back_empty_folders
from tests.worlds.commands import rsforge
from tests.worlds.spectral_checkpoints import write_stage1, write_stage2
from tests.worlds.spectral_patches import edit, write_scene


class Settings(BaseModel):
    output_dir: Path | None = None
    output: Path | None = None


def fail_after(make, **places):
    with pytest.raises(ValueError, match="refused"), take_back_empty_folders(Settings(**places)):
        make()
        raise ValueError("refused")


def test_empty_folders_that_a_failure_leaves_are_removed(tmp_path):
    place = tmp_path / "a/b/out"
    fail_after(lambda: (place / "checkpoints").mkdir(parents=True), output_dir=place)
    assert not (tmp_path / "a").exists()
    fail_after(lambda: place.parent.mkdir(parents=True), output=place)
    assert not (tmp_path / "a").exists()
    fail_after(lambda: (place / "sub").mkdir(parents=True), output=place)
    assert not (tmp_path / "a").exists()


def test_what_was_written_or_there_before_stays(tmp_path):
    place = tmp_path / "a/out"
    fail_after(lambda: (place.mkdir(parents=True), (place / "half.json").touch()), output_dir=place)
    assert (place / "half.json").exists()
    (tmp_path / "empty").mkdir()
    fail_after(lambda: None, output_dir=tmp_path / "empty", output=tmp_path / "empty/x.tif")
    assert (tmp_path / "empty").is_dir()
    with take_back_empty_folders(Settings(output_dir=tmp_path / "new")):
        (tmp_path / "new").mkdir()
    assert (tmp_path / "new").is_dir()
    fail_after(lambda: None)


def test_an_output_must_have_a_name_in_unicode(tmp_path, capsys):
    line = "sample text --pipeline {} --prompt a --output {}"
    assert rsforge(line, tmp_path / "none", f"{tmp_path}/\udcff.png") == 2
    assert "error[RSF-U001]: --output holds bytes that are not UTF-8\n" in capsys.readouterr().err


def test_a_command_that_refuses_what_it_read_leaves_no_folder(tmp_path):
    write_scene(tmp_path / "set/x.h5", 1)
    edit(tmp_path / "set/x.h5", "landsat", (0, 9, 9, 0), float("nan"))
    first, second = write_stage1(tmp_path / "1.pth"), write_stage2(tmp_path / "2.pth")
    line = "hsi evaluate --stage1-checkpoint {} --stage2-checkpoint {} --data-dir {} --output-dir {} --device cpu"
    assert rsforge(line, first, second, tmp_path / "set", tmp_path / "new/out") == 3
    assert not (tmp_path / "new").exists()
    line = "hsi predict --stage1-checkpoint {} --input {} --output {} --device cpu"
    assert rsforge(line, first, tmp_path / "set", tmp_path / "new/out") == 3 and not (tmp_path / "new").exists()
