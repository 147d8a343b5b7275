"""What the launcher and its processes agree on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rsforge.process_protocol import EXIT_FOLDER, exit_folder

PARENT = """
import subprocess, sys
child = "import os, time; from rsforge.process_protocol import die_with_parent; die_with_parent(); print(os.getpid(), flush=True); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child], stdout=sys.stdout).wait()
"""  # noqa: E501


def test_the_folder_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(EXIT_FOLDER, raising=False)
    assert exit_folder() is None
    monkeypatch.setenv(EXIT_FOLDER, "")
    assert exit_folder() is None
    monkeypatch.setenv(EXIT_FOLDER, str(tmp_path))
    assert exit_folder() == tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is of Linux")
def test_a_child_ends_with_its_parent():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and is_running(child):
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
