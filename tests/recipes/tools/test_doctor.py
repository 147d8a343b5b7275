"""The doctor names what is there and what is not, and never falls ill itself."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections import namedtuple
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rsforge.cli.main import run
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.tools import doctor
from rsforge.recipes.tools.doctor import Requirement, examine
from rsforge.settings.tools import DoctorSettings

ROOT = Path(__file__).parents[3]
Usage = namedtuple("Usage", "total used free")


def examined():
    return examine(DoctorSettings(), SilentConsole())


@pytest.fixture
def installed(monkeypatch):
    """Pretend versions of packages; None is not installed."""
    real = metadata.version

    def pretend(**versions):
        def version(name):
            if versions.get(name, "") is None:
                raise metadata.PackageNotFoundError(name)
            return versions.get(name) or real(name)

        monkeypatch.setattr(doctor.metadata, "version", version)

    return pretend


def test_this_machine_is_ready_and_told_in_plain_data():
    told = examined()
    assert json.loads(json.dumps(told)) == told
    assert told["ready"] is True
    rooms = {name: room for name, room in told.items() if isinstance(room, dict)}
    assert set(rooms) == {"system", "torch", "packages", "extras", "devices", "weights"}
    findings = {f"{room}.{name}": f for room, all_ in rooms.items() for name, f in all_.items()}
    assert all(f.keys() == {"state", "found", "fix"} and f["found"] for f in findings.values())
    assert told["attention"] == [name for name, f in findings.items() if f["state"] != "ok"]
    assert all(bool(f["fix"]) == (f["state"] != "ok") for f in findings.values())
    assert findings["torch.threads"]["found"].startswith(f"{torch.get_num_threads()} for ")


def test_every_requirement_of_the_package_is_examined():
    told, lines = examined(), metadata.requires("rsforge")
    assert len(told["packages"]) + len(told["extras"]) == len(lines)
    assert told["packages"]["torch"]["found"].startswith(metadata.version("torch"))


def test_the_tested_torch_is_the_one_of_the_constraints():
    assert f"torch=={doctor.TESTED_TORCH}\n" in (ROOT / "constraints.txt").read_text()


def test_another_torch_than_the_tested_one_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "TESTED_TORCH", "9.9.9")
    told = examined()
    assert told["torch"]["version"]["state"] == "warn" and "tested is 9.9.9" in told["torch"]["version"]["found"]
    assert told["ready"]


def test_a_package_that_is_absent_or_below_its_floor_is_missing(installed):
    installed(pandas=None, h5py="3.10.1", typer="1.0")
    told = examined()
    pandas, h5py, typer = (told["packages"][name] for name in ("pandas", "h5py", "typer"))
    assert (pandas["state"], pandas["found"]) == ("missing", "not installed")
    assert pandas["fix"].startswith("pip install -c constraints.txt 'pandas>=")
    assert h5py["state"] == "missing" and "3.10.1 is installed" in h5py["found"]
    assert typer["state"] == "missing"
    assert told["ready"] is False and "packages.pandas" in told["attention"]


def test_an_extra_is_offered_and_not_needed(installed):
    installed(pyyaml=None)
    told = examined()
    assert told["extras"]["yaml.pyyaml"] == {
        "state": "missing",
        "found": "not installed",
        "fix": "pip install -c constraints.txt 'rsforge[yaml]'",
    }
    assert told["ready"] is True


def test_no_metadata_is_told(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor.metadata, "requires", requires)
    told = examined()
    assert told["packages"]["rsforge"]["state"] == "missing" and told["extras"] == {} and not told["ready"]


def test_without_torch_the_rest_is_still_examined(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    told = examined()
    assert told["torch"].keys() == {"version"} and told["torch"]["version"]["state"] == "missing"
    assert not told["ready"] and "devices" not in told and "memory" in told["system"]


@pytest.mark.parametrize(
    ("how", "state"),
    [("native", "ok"), ("mended", "ok"), ("absent", "missing"), (ImportError("no such op"), "missing")],
)
def test_torchvision(monkeypatch, how, state):
    def ensure():
        if isinstance(how, Exception):
            raise how
        return how

    monkeypatch.setattr(doctor, "ensure_torchvision", ensure)
    told = examined()
    assert told["torch"]["torchvision"]["state"] == state and told["ready"] is (state == "ok")


def test_a_torchvision_for_another_torch_is_a_warning(monkeypatch):
    real = metadata.requires
    pin = {"torchvision": ["numpy", "torch (==2.1.0)"]}
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: pin.get(name) or real(name))
    told = examined()["torch"]["torchvision"]
    assert told["state"] == "warn" and "made for torch==2.1.0" in told["found"]


@pytest.mark.parametrize(
    ("bounds", "version", "met"),
    [
        (">=2.10", "2.9.1", False),
        (">=2.10", "2.10", True),
        (">=2.10", "2.10.0+cpu", True),
        (">=2.10.0", "2.10", True),
        ("<1,>=0.26", "0.29.2", True),
        ("<1,>=0.26", "1.0.0", False),
        ("==2.13.0", "2.13.0+cu128", True),
        ("!=8.3.*,>=5.3.0", "8.3.1", True),
        (">=3", "4.0rc1", True),
        ("", "0.1", True),
    ],
)
def test_bounds(bounds, version, met):
    assert Requirement("name", bounds, "").met_by(version) is met


def cards(monkeypatch, tmp_path, *, count, toolkit, driver, warning=""):
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
    monkeypatch.setattr(doctor, "NVIDIA", tmp_path / "version")
    if driver:
        (tmp_path / "version").write_text(f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {driver}  Sat Aug 19\n")
    return examined()["devices"]


def test_cards_are_told_with_memory_and_versions(monkeypatch, tmp_path):
    told = cards(monkeypatch, tmp_path, count=2, toolkit="12.8", driver="570.86.15")
    assert told["cuda"]["state"] == "ok"
    assert told["cuda"]["found"] == "2 cards, toolkit CUDA 12.8, NVIDIA driver 570.86.15"
    assert told["cuda:1"]["found"] == "H200, 8.0 GiB, 3.0 GiB free, compute capability 9.0"


def test_a_card_that_cannot_be_asked_hides_nothing(monkeypatch, tmp_path):
    def busy(index):
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy\nmore")

    monkeypatch.setattr(doctor, "_examine_card", busy)
    told = cards(monkeypatch, tmp_path, count=1, toolkit="12.8", driver="570.86.15")
    assert told["cuda:0"]["state"] == "warn" and told["cuda:0"]["found"].endswith("devices are busy")
    assert told["cuda"]["state"] == "ok"


@pytest.mark.parametrize(
    ("toolkit", "driver", "warning", "found"),
    [
        (None, "570.86.15", "", "built for the CPU alone"),
        ("12.8", "570.86.15", "", "no cards, toolkit CUDA 12.8, NVIDIA driver 570.86.15"),
        ("12.8", "470.1", "The NVIDIA driver is too old\nsee there", "driver is too old"),
    ],
)
def test_a_card_that_torch_cannot_use_is_a_warning(monkeypatch, tmp_path, toolkit, driver, warning, found):
    told = cards(monkeypatch, tmp_path, count=0, toolkit=toolkit, driver=driver, warning=warning)["cuda"]
    assert told["state"] == "warn" and told["found"].endswith(found) and told["fix"]


def test_no_card_is_no_fault(monkeypatch, tmp_path):
    told = cards(monkeypatch, tmp_path, count=0, toolkit=None, driver="")["cuda"]
    assert told == {"state": "ok", "found": "no cards, toolkit none, NVIDIA driver none", "fix": ""}


def test_little_room_is_a_warning(monkeypatch, tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:  1048576 kB\n")
    monkeypatch.setattr(doctor, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**30, 2**30 - 2**26, 2**26))
    system = examined()["system"]
    assert {system[name]["state"] for name in ("memory", "disk", "workers")} == {"warn"}
    assert "1.0 GiB available" in system["memory"]["found"] and "--num-workers 0" in system["workers"]["fix"]


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    monkeypatch.setattr(doctor, "CONTAINER", tmp_path / "memory.max")
    memory = examined()["system"]["memory"]
    assert memory["state"] == "warn" and "limited to 1.0 GiB by the container" in memory["found"]


def test_a_folder_that_is_gone_hides_nothing(monkeypatch):
    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(doctor.Path, "cwd", gone)
    told = examined()
    assert told["system"]["disk"]["state"] == "warn" and "FileNotFoundError" in told["system"]["disk"]["found"]


def test_weights_are_found_where_torchvision_leaves_them(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert examined()["weights"]["vgg16"]["state"] == "missing"
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "vgg16-397923af.pth").touch()
    assert examined()["weights"]["vgg16"]["found"].endswith("vgg16-397923af.pth")


def test_the_command_shows_one_line_a_finding_and_leaves_with_zero(installed, capsys):
    installed(pandas=None)
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out.splitlines()
    row = next(i for i, line in enumerate(out) if line.startswith("packages.pandas "))
    assert out[row].split() == ["packages.pandas", "missing", "not", "installed"]
    assert out[row + 1].startswith(" ") and out[row + 1].strip().startswith("fix: pip install")
    assert out[0].split() == ["ready", "no"]
    assert run(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["packages"]["pandas"]["state"] == "missing"
