"""Memory, disk and shared memory in ``rsforge doctor``."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

from rsforge.recipes.tools import doctor_system

Usage = namedtuple("Usage", "total used free")


def test_little_room_is_a_warning(monkeypatch, tmp_path, examine_all):
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable:  1048576 kB\n")
    monkeypatch.setattr(doctor_system, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**30, 2**30 - 2**26, 2**26))
    system = examine_all()["system"]
    assert {system[name]["state"] for name in ("memory", "disk", "workers")} == {"warn"}
    assert "1.0 GiB available" in system["memory"]["found"] and "--num-workers 0" in system["workers"]["fix"]


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path, examine_all):
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    monkeypatch.setattr(doctor_system, "CONTAINER", tmp_path / "memory.max")
    memory = examine_all()["system"]["memory"]
    assert memory["state"] == "warn" and "limited to 1.0 GiB by the container" in memory["found"]


def test_a_folder_that_is_gone_hides_nothing(monkeypatch, examine_all):
    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "cwd", gone)
    result = examine_all()
    assert result["system"]["disk"]["state"] == "warn" and "FileNotFoundError" in result["system"]["disk"]["found"]
