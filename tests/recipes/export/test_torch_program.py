"""The torch.export program: sizes, messages of torch and recorded paths."""

from __future__ import annotations

import json

import pytest
import torch

from tests.worlds.cyclegan_export import (
    SIZE,
    assert_agree,
)


def test_the_program_runs_without_the_house(exported):
    extra = {"rsforge.json": ""}
    program = torch.export.load(exported.file(".pt2"), extra_files=extra).module()
    assert_agree(program, exported.net, any_size=exported.any_size)
    assert json.loads(extra["rsforge.json"])["source_digest"] == exported.card["source"]["weights"]
    for side in [SIZE + 1] if exported.any_size else [SIZE + 1, 2 * SIZE]:
        with pytest.raises((AssertionError, RuntimeError), match="16"):
            program(torch.zeros(1, exported.net.in_channels, side, SIZE))


def test_files_carry_no_paths_of_the_machine_they_were_made_on(exported):
    for path in exported.folder.iterdir():
        content = path.read_bytes()
        assert b"pix2pix.py" not in content and str(exported.folder).encode() not in content


def test_nothing_of_other_libraries_is_told(exported):
    known = ("generator", "format ", "safetensors", "torch ", "onnx ")
    assert [line for line in exported.stderr.splitlines() if not line.startswith(known)] == []
    assert "[torch.onnx]" not in exported.stderr
