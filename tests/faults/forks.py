"""Runs in forked processes, and their end by a signal at a chosen moment."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def fork(run: Callable[[], Any]) -> int:
    """The id of a new process that calls ``run`` and ends with 0, with what its error says, or with 130."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            # A signal before the run listens to it is an ordinary KeyboardInterrupt.
            os._exit(130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit", 1))
    return pid


def has_ended(pid: int, seconds: float) -> bool:
    """Whether a child ends within ``seconds``; it is still to be waited for."""
    watched = os.pidfd_open(pid)
    try:
        return bool(select.select([watched], [], [], seconds)[0])
    finally:
        os.close(watched)


def wait(pid: int) -> int:
    """The exit code of a child, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def members(folder: Path) -> list[int]:
    """Living processes that work in ``folder``, other than this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            works_there = (process / "cwd").readlink().is_relative_to(folder)
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if works_there and state != "Z" and int(process.name) != os.getpid():
            found.append(int(process.name))
    return found


def are_gone(folder: Path, seconds: float) -> bool:
    """Whether no process works in ``folder`` any more after at most ``seconds``."""
    deadline = time.monotonic() + seconds
    while members(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end_members(folder: Path) -> None:
    """Kill what still works in ``folder``."""
    for pid in members(folder):
        os.kill(pid, signal.SIGKILL)
