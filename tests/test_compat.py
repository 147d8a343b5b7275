"""The torchvision guard and the waiting of threads."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

from rsforge import compat
from rsforge.cli.main import main


def test_torchvision_imports_after_the_guard_and_a_matching_pair_is_left_alone(torchvision_state):
    assert (torchvision_state, len(compat._DECLARED)) in (("native", 0), ("mended", 2))
    for name in ("transforms.v2", "utils", "models"):
        importlib.import_module(f"torchvision.{name}")


def test_a_torchvision_that_is_there_already_is_not_touched():
    lines = [
        "import sys, types",
        "sys.modules['torchvision'] = types.ModuleType('torchvision')",
        "from rsforge import compat",
        "print(compat.ensure_torchvision())",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True)
    assert done.stdout.split() == ["native"]


def test_another_failure_of_torchvision_is_not_hidden(monkeypatch):
    def broken(name):
        raise RuntimeError("something else")

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(compat.importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="something else"):
        compat.ensure_torchvision()


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_threads_share_processors_unless_the_environment_decides(monkeypatch, name):
    for other in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "7")
    compat.share_processors()
    assert os.environ[name] == "7" and len({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys()) == 1
    monkeypatch.delenv(name)
    compat.share_processors()
    assert os.environ.pop("GOMP_SPINCOUNT") == "1000"


def test_pillow_keeps_memory_unless_the_environment_decides(monkeypatch):
    monkeypatch.setenv("PILLOW_BLOCKS_MAX", "3")
    compat.share_processors()
    assert os.environ["PILLOW_BLOCKS_MAX"] == "3"
    monkeypatch.delenv("PILLOW_BLOCKS_MAX")
    compat.share_processors()
    assert os.environ["PILLOW_BLOCKS_MAX"] == "16"


def test_the_command_line_shares_processors_before_torch_is_there(monkeypatch, capsys):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert os.environ.pop("GOMP_SPINCOUNT") == "1000"
