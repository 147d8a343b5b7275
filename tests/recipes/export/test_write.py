"""An export is whole and agrees with the network, or nothing of it is left."""

from __future__ import annotations

import contextlib
import errno
import json
import sys

import pytest
import torch

from rsforge import durable
from rsforge.errors import RsforgeError
from rsforge.recipes.export import torch_program
from rsforge.recipes.export import write as export_files
from rsforge.recipes.export.formats import FORMATS
from tests.worlds.commands import rsforge
from tests.worlds.cyclegan_export import (
    EXPORT_FORMATS,
    alter_output,
    files_in,
)


def nan(y: torch.Tensor) -> torch.Tensor:
    return torch.where(y == y.max(), torch.nan, y)


@pytest.mark.parametrize(
    ("by", "said"),
    [(lambda y: y + 2e-4, "0.0002"), (nan, "nan"), (lambda y: y[..., :-1], "inf"), (lambda y: y[:, :1], "inf")],
)
def test_a_file_that_differs_is_refused_and_nothing_stays(generators, tmp_path, monkeypatch, capsys, by, said):
    alter_output(monkeypatch, "torch", by)
    assert rsforge(EXPORT_FORMATS + "safetensors,torch", generators, tmp_path / "out") == 6
    message = capsys.readouterr().err
    assert "RSF-E010" in message and "the torch file does not agree with the model" in message
    assert f"{said}" in message and "0.0001 is allowed" in message
    assert not files_in(tmp_path / "out")


def test_a_small_difference_is_told_and_kept(generators, tmp_path, monkeypatch, capsys):
    alter_output(monkeypatch, "torch", lambda y: y + 5e-5)
    assert rsforge(EXPORT_FORMATS + "torch --json", generators, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["largest_difference"]["torch"] == pytest.approx(5e-5, rel=0.01)


def test_another_last_bit_in_the_weights_is_refused(generators, tmp_path, monkeypatch, capsys):
    encode = FORMATS["safetensors"].encode

    def other(subject, captured):
        first = next(subject.network.parameters())
        kept = first.detach().clone()
        first.view(torch.int32)[0, 0, 0, 0] ^= 1
        encoded = encode(subject, captured)
        first.copy_(kept)
        return encoded

    monkeypatch.setitem(FORMATS, "safetensors", FORMATS["safetensors"]._replace(encode=other))
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path) == 6
    assert "does not hold the weights of the model" in capsys.readouterr().err and not files_in(tmp_path)


def test_a_failed_replacement_leaves_the_earlier_export(generators, tmp_path, monkeypatch):
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    alter_output(monkeypatch, "onnx", lambda y: -y)
    line = EXPORT_FORMATS + "safetensors,onnx --overwrite --direction sar2optical"
    assert rsforge(line, generators, tmp_path) == 6
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_earlier_export_stays_unless_it_is_to_be_replaced(generators, tmp_path, monkeypatch, capsys):
    alter_output(monkeypatch, "torch", lambda y: y)
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path) == 0
    (tmp_path / "mine.txt").write_text("mine")
    assert rsforge(EXPORT_FORMATS + "torch", generators, tmp_path) == 2
    message = capsys.readouterr().err
    assert "RSF-U004" in message and "gen_AB.safetensors" in message and "--overwrite" in message
    assert rsforge(EXPORT_FORMATS + "torch --overwrite", generators, tmp_path) == 0
    assert "removed    gen_AB.safetensors" in capsys.readouterr().err
    assert files_in(tmp_path) == {"gen_AB.json", "gen_AB.pt2", "mine.txt"}


@pytest.mark.parametrize("description", ["", "[]", '{"files": [{"file": "gen_AB.onnx", "sha256": "0"}]}', None])
def test_overwriting_leaves_what_no_export_wrote(generators, tmp_path, capsys, description):
    (tmp_path / "gen_AB.onnx").write_text("mine")
    if description is not None:
        (tmp_path / "gen_AB.json").write_text(description)
    assert rsforge(EXPORT_FORMATS + "safetensors --overwrite", generators, tmp_path) == 0
    assert "warning: gen_AB.onnx stays" in capsys.readouterr().err
    assert (tmp_path / "gen_AB.onnx").read_text() == "mine"


def test_leftovers_of_killed_exports_go_and_no_others(generators, tmp_path):
    dead = 99_999_999  # more than the system gives to any process
    others = {f".tmp-{dead}-my-gen_AB.onnx", f".tmp-{dead}-gen_BA.onnx", ".tmp-x-gen_AB.onnx", ".tmp-1-gen_AB.onnx"}
    for name in {f".tmp-{dead}-gen_AB.pt2", f".tmp-{dead}-gen_AB.json", *others}:
        (tmp_path / name).touch()
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path) == 0
    assert files_in(tmp_path) == {"gen_AB.safetensors", "gen_AB.json", *others}


def test_a_place_that_another_export_holds_is_refused(generators, tmp_path, monkeypatch, capsys):
    """A lock of the own process would not hinder it."""
    held = RsforgeError("RSF-E003", "in use")

    @contextlib.contextmanager
    def locked(folder):
        assert folder == tmp_path
        raise held
        yield

    monkeypatch.setattr(durable, "lock_folder", locked)
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path) == 6
    assert "RSF-E003" in capsys.readouterr().err and not files_in(tmp_path)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages_are_named_where_onnx_is_asked_for(generators, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    assert rsforge(EXPORT_FORMATS + "safetensors,onnx", generators, tmp_path / "out") == 6
    message = capsys.readouterr().err
    assert "RSF-E006" in message and 'pip install "rsforge[export]"' in message and f"package {package}\n" in message
    assert not (tmp_path / "out").exists()
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path / "out") == 0


def test_a_network_that_onnx_cannot_hold_is_refused(generators, tmp_path, monkeypatch, capsys):
    def broken(*args, **kwargs):
        raise torch.onnx.errors.OnnxExporterError("no such operator")

    monkeypatch.setattr(export_files, "capture", lambda subject: torch_program.CapturedProgram(None, (), True))
    monkeypatch.setattr(torch.onnx, "export", broken)
    assert rsforge(EXPORT_FORMATS + "safetensors,onnx", generators, tmp_path) == 6
    message = capsys.readouterr().err
    assert "RSF-E010" in message and "no such operator" in message and not files_in(tmp_path)


def test_a_full_disk_leaves_nothing(generators, tmp_path, monkeypatch, capsys):
    def full(operation: str) -> None:
        if operation == "write" and any(path.stat().st_size for path in tmp_path.glob(".tmp-*")):
            raise OSError(errno.ENOSPC, "No space left on device")

    alter_output(monkeypatch, "torch", lambda y: y)
    monkeypatch.setattr(durable, "before_operation", full)
    assert rsforge(EXPORT_FORMATS + "safetensors,torch", generators, tmp_path) == 6
    assert "RSF-E001" in capsys.readouterr().err and not files_in(tmp_path)


def test_too_many_weights_for_one_onnx_file(generators, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export_files, "LARGEST_ONNX", 1000)
    assert rsforge(EXPORT_FORMATS + "onnx", generators, tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert "RSF-U005" in message and "at most 2 GiB" in message and not (tmp_path / "out").exists()
    assert rsforge(EXPORT_FORMATS + "safetensors", generators, tmp_path / "out") == 0
