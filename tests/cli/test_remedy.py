from __future__ import annotations

import pytest

from rsforge.cli.app import load_all
from rsforge.cli.remedy import keep_possible_ways, list_options
from rsforge.error_registry import REGISTRY
from rsforge.errors import RsforgeError

UNREADABLE = REGISTRY["RSF-D002"].advice


def test_ways_that_a_command_lacks_are_left_out():
    assert keep_possible_ways(UNREADABLE, {"--input"}) == "Repair or remove the named files."
    assert keep_possible_ways(UNREADABLE, {"--on-bad"}) == UNREADABLE
    taken = "Continue with --resume, replace with --overwrite, or name another --output-dir."
    assert keep_possible_ways(taken, {"--overwrite", "--output-dir"}) == (
        "Replace with --overwrite, or name another --output-dir."
    )


def test_a_remedy_stays_whole_where_no_way_would_be_left_or_another_command_is_named():
    only = "lower --tile"
    assert keep_possible_ways(only, {"--input"}) == only
    other = "cut them by `rsforge data tile --sar DIR`, or remove them"
    assert keep_possible_ways(other, {"--input"}) == other
    assert keep_possible_ways(UNREADABLE, ()) == UNREADABLE


@pytest.mark.parametrize("path", ["sample batch", "vae train"])
def test_the_command_line_knows_its_own_options(path):
    load_all()
    options = list_options(path.split())
    assert {"--json", "--batch-size"} <= options
    assert ("--on-bad" in options) == (path == "vae train")
    assert ("--no-linear-path" in options) == (path == "vae train")
    assert not list_options(["nothing"])


@pytest.mark.parametrize(
    "line", ["sample --prompt field", "sample text --prompt field", "diffusion evaluate --data-dir x"]
)
def test_the_ways_are_those_of_the_command_that_an_option_names(shell, monkeypatch, tmp_path, line):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    result = shell(*line.split(), "--pipeline", "somebody/model")
    assert result.code == 4 and "--download" in result.err


def test_an_error_is_printed_with_the_ways_of_its_command(shell, monkeypatch, tmp_path):
    def fail(*_):
        raise RsforgeError("RSF-D002", "scene.tif cannot be read")

    monkeypatch.setattr("rsforge.recipes.sample.single.draw", fail)
    result = shell("sample", "single", "--input-image", str(tmp_path / "scene.tif"), "--model-checkpoint", "m.pt")
    assert result.code == 3
    assert "Repair or remove the named files." in result.err
    assert "--on-bad" not in result.err
