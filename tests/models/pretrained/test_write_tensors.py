"""Weights written whole or not at all."""

from __future__ import annotations

import errno

import pytest
import safetensors
import safetensors.torch
import torch

from rsforge.models.pretrained.write_tensors import write_safetensors


def test_what_is_written_is_read_and_replaced_as_a_whole(tmp_path):
    path = tmp_path / "x.safetensors"
    for value in (1.0, 2.0):
        write_safetensors(path, {"a": torch.full((2, 3), value).t()})
    read = safetensors.torch.load_file(path)
    assert torch.equal(read["a"], torch.full((3, 2), 2.0)) and [p.name for p in tmp_path.iterdir()] == [path.name]
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_full_disk_is_said_and_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": torch.ones(1)})

    def fail(*_):
        raise safetensors.SafetensorError("Error: IoError(No space left on device (os error 28))")

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_safetensors(path, {"a": torch.zeros(1)})
    assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(path)
    assert safetensors.torch.load_file(path)["a"] == 1 and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_refuses_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        write_safetensors(tmp_path / "none" / "x.safetensors", {"a": torch.ones(1)})
