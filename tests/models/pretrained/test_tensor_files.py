"""Files of weights: what is read, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import torch
from safetensors.torch import save_file

from rsforge.errors import RsforgeError
from rsforge.models.pretrained.tensor_files import open_pickled, open_safetensors, open_sharded

STATE = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(4)}


def test_one_tensor_at_a_time_is_read(tmp_path):
    save_file(STATE, tmp_path / "one.safetensors", {"note": "x"})
    file = open_safetensors(tmp_path / "one.safetensors")
    assert (dict(file.shapes), dict(file.facts)) == ({"a": (2, 3), "b": (4,)}, {"note": "x"})
    assert torch.equal(file.read("a"), STATE["a"])


def test_several_files_are_as_good_as_one(tmp_path):
    for name in STATE:
        save_file({name: STATE[name]}, tmp_path / f"{name}.safetensors")
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"weight_map": {name: f"{name}.safetensors" for name in STATE}}))
    file = open_sharded(index, open_safetensors)
    assert dict(file.shapes) == {"a": (2, 3), "b": (4,)} and torch.equal(file.read("b"), STATE["b"])
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(RsforgeError, match="weights not found") as caught:
        open_sharded(index, open_safetensors)
    assert caught.value.code == "RSF-C001" and "b.safetensors" in caught.value.where
    index.write_text(json.dumps({"weight_map": {"a": "a.safetensors", "c": "a.safetensors"}}))
    with pytest.raises(RsforgeError, match="index says") as caught:
        open_sharded(index, open_safetensors)
    assert caught.value.code == "RSF-C007" and caught.value.found == "c is not in a.safetensors"


@pytest.mark.parametrize(
    "text", ["{}", '{"weight_map": {"a": "../a.safetensors"}}', '{"weight_map": {"a": 3}}', '{"weight_map": []}']
)
def test_an_index_that_is_none_or_leads_elsewhere_is_refused(tmp_path, text):
    save_file(STATE, tmp_path / "a.safetensors")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "index.json").write_text(text)
    with pytest.raises(RsforgeError) as caught:
        open_sharded(tmp_path / "in" / "index.json", open_safetensors)
    assert caught.value.code == "RSF-C003"


def test_damaged_and_foreign_files_are_refused(tmp_path):
    save_file(STATE, tmp_path / "one.safetensors")
    contents = (tmp_path / "one.safetensors").read_bytes()
    for number, damaged in enumerate([contents[:-3], contents[:5], b"", b"PK" + contents]):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(damaged)
        with pytest.raises(RsforgeError) as caught:
            open_safetensors(path)
        assert caught.value.code == "RSF-C002" and caught.value.where == str(path)
    for number, foreign in enumerate([b"", b"text", contents]):
        path = tmp_path / f"{number}.ckpt"
        path.write_bytes(foreign)
        with pytest.raises(RsforgeError) as caught:
            open_pickled(path)
        assert caught.value.code == "RSF-C003"


def test_a_folder_a_pipe_and_nothing_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    for name in ("pipe", "folder", "nothing"):
        for read in (open_safetensors, open_pickled):
            with pytest.raises(RsforgeError, match="weights not found") as caught:
                read(tmp_path / f"{name}.safetensors")
            assert caught.value.code == "RSF-C001"


class _Evil:
    def __reduce__(self):
        return subprocess.check_call, (["touch", "executed"],)


class ModelCheckpoint:
    """Named as the class whose name stands in Stable Diffusion's first .ckpt files."""


ModelCheckpoint.__module__ = "pytorch_lightning.callbacks.model_checkpoint"


def test_pickled_weights_are_read_and_nothing_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": STATE, "global_step": 7, "evil": _Evil()}, "evil.ckpt")
    with pytest.raises(RsforgeError, match="not a plain dictionary") as caught:
        open_pickled(tmp_path / "evil.ckpt")
    assert caught.value.code == "RSF-C003" and not (tmp_path / "executed").exists()
    torch.save({"state_dict": STATE, "global_step": 7}, "plain.ckpt")
    file = open_pickled(tmp_path / "plain.ckpt")
    assert dict(file.facts) == {"global_step": 7} and torch.equal(file.read("a"), STATE["a"])
    torch.save(STATE, "bare.bin")
    assert set(open_pickled(tmp_path / "bare.bin").shapes) == set(STATE)
    torch.save([STATE], "list.ckpt")
    with pytest.raises(RsforgeError):
        open_pickled(tmp_path / "list.ckpt")


def test_a_file_that_names_a_class_of_lightning_is_read(tmp_path, monkeypatch):
    import sys
    from types import ModuleType

    module = ModuleType(ModelCheckpoint.__module__)
    module.ModelCheckpoint = ModelCheckpoint
    with monkeypatch.context() as patch:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
            patch.setitem(sys.modules, name, ModuleType(name))
        patch.setitem(sys.modules, ModelCheckpoint.__module__, module)
        torch.save({"state_dict": STATE, "callbacks": {ModelCheckpoint: {"best": 1}}}, tmp_path / "sd.ckpt")
    assert set(open_pickled(tmp_path / "sd.ckpt").shapes) == set(STATE)
