"""Torch, torchvision and devices in ``rsforge doctor``."""

from __future__ import annotations

import sys
import warnings
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rsforge.recipes.tools import doctor_torch

ROOT = Path(__file__).parents[3]


def test_the_tested_torch_is_the_one_of_the_constraints():
    assert f"torch=={doctor_torch.TESTED_TORCH}\n" in (ROOT / "constraints.txt").read_text()


def test_another_torch_than_the_tested_one_is_a_warning(monkeypatch, examine_all):
    monkeypatch.setattr(doctor_torch, "TESTED_TORCH", "9.9.9")
    result = examine_all()
    assert result["torch"]["version"]["state"] == "warn" and "tested is 9.9.9" in result["torch"]["version"]["found"]
    assert result["ready"]


def test_without_torch_the_rest_is_still_examined(monkeypatch, examine_all):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = examine_all()
    assert result["torch"].keys() == {"version"} and result["torch"]["version"]["state"] == "missing"
    assert not result["ready"] and "devices" not in result and "memory" in result["system"]


@pytest.mark.parametrize(
    ("how", "state"),
    [("native", "ok"), ("mended", "ok"), ("absent", "missing"), (ImportError("no such op"), "missing")],
)
def test_torchvision(monkeypatch, how, state, examine_all):
    def ensure():
        if isinstance(how, Exception):
            raise how
        return how

    monkeypatch.setattr(doctor_torch, "ensure_torchvision", ensure)
    result = examine_all()
    assert result["torch"]["torchvision"]["state"] == state and result["ready"] is (state == "ok")


def test_a_torchvision_for_another_torch_is_a_warning(monkeypatch, examine_all):
    real = metadata.requires
    pin = {"torchvision": ["numpy", "torch (==2.1.0)"]}
    monkeypatch.setattr(metadata, "requires", lambda name: pin.get(name) or real(name))
    result = examine_all()["torch"]["torchvision"]
    assert result["state"] == "warn" and "made for torch==2.1.0" in result["found"]


def cards(examine_all, monkeypatch, tmp_path, *, count, toolkit, driver, warning=""):
    def available():
        if warning:
            warnings.warn(warning, stacklevel=1)
        return count > 0

    card = SimpleNamespace(name="H200", major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "is_available", available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda i: card)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.version, "cuda", toolkit)
    monkeypatch.setattr(doctor_torch, "NVIDIA", tmp_path / "version")
    if driver:
        (tmp_path / "version").write_text(f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Sat Aug 19\n")
    return examine_all()["devices"]


def test_cards_are_told_with_memory_and_versions(monkeypatch, tmp_path, examine_all):
    result = cards(examine_all, monkeypatch, tmp_path, count=2, toolkit="12.8", driver="570.86.15")
    assert result["cuda"]["state"] == "ok"
    assert result["cuda"]["found"] == "2 cards, toolkit CUDA 12.8, NVIDIA driver 570.86.15"
    assert result["cuda:1"]["found"] == "H200, 8.0 GiB, 3.0 GiB free, compute capability 9.0"


def test_a_card_that_cannot_be_asked_hides_nothing(monkeypatch, tmp_path, examine_all):
    def busy(index):
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy\nmore")

    monkeypatch.setattr(doctor_torch, "_examine_card", busy)
    result = cards(examine_all, monkeypatch, tmp_path, count=1, toolkit="12.8", driver="570.86.15")
    assert result["cuda:0"]["state"] == "warn" and result["cuda:0"]["found"].endswith("devices are busy")
    assert result["cuda"]["state"] == "ok"


@pytest.mark.parametrize(
    ("toolkit", "driver", "warning", "found"),
    [
        (None, "570.86.15", "", "built for the CPU alone"),
        ("12.8", "570.86.15", "", "no cards, toolkit CUDA 12.8, NVIDIA driver 570.86.15"),
        ("12.8", "470.1", "The NVIDIA driver is too old\nsee there", "driver is too old"),
    ],
)
def test_a_card_that_torch_cannot_use_is_a_warning(monkeypatch, tmp_path, toolkit, driver, warning, found, examine_all):
    result = cards(examine_all, monkeypatch, tmp_path, count=0, toolkit=toolkit, driver=driver, warning=warning)["cuda"]
    assert result["state"] == "warn" and result["found"].endswith(found) and result["fix"]


def test_no_card_is_no_fault(monkeypatch, tmp_path, examine_all):
    result = cards(examine_all, monkeypatch, tmp_path, count=0, toolkit=None, driver="")["cuda"]
    assert result == {"state": "ok", "found": "no cards, toolkit none, NVIDIA driver none", "fix": ""}
