"""``rsforge weights ls`` says where weights are looked for, which are there, and what gets them."""

from __future__ import annotations

import json

import pytest
import torch

from tests.worlds.commands import rsforge


@pytest.fixture
def listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()

    def call() -> dict:
        assert rsforge("weights ls --json") == 0
        return json.loads(capsys.readouterr().out)

    return call


def test_what_is_missing_is_named_with_the_command_that_gets_it(listed, tmp_path):
    told = listed()
    assert told["looked_in"] == str(tmp_path / "checkpoints")
    for name, fetched in {"vgg16": "vgg16", "lpips": "vgg16", "inception": "inception", "resnet18": "resnet18"}.items():
        assert told[name]["state"] == "missing" and f"rsforge weights fetch {fetched}" in told[name]["fix"]
    assert "528 MiB" in told["vgg16"]["fix"] and "licence" in told["published"]["inception"]


def test_what_is_there_is_found_under_any_name_of_its_kind(listed, tmp_path):
    for name in ("vgg16-own.pth", "pt_inception-2015-12-05-6726825d.pth", "resnet18-own.pth"):
        (tmp_path / "checkpoints" / name).touch()
    told = listed()
    assert [told[name]["state"] for name in ("vgg16", "lpips", "inception", "resnet18")] == ["ok"] * 4


def test_a_cut_file_is_warned_of(listed, tmp_path):
    (tmp_path / "checkpoints/vgg16-397923af.pth").write_bytes(b"cut")
    vgg16 = listed()["vgg16"]
    assert vgg16["state"] == "warn" and "3 bytes" in vgg16["found"] and "--overwrite" in vgg16["fix"]
