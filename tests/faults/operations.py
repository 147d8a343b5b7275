"""A process that kills itself before one of its durable operations: a write, a flush, a rename, a line appended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from rsforge import durable


def count_operations(counter: Path, kill_before: int | None) -> None:
    """Count the durable operations of this process in the size of ``counter``; SIGKILL before number ``kill_before``.

    The first operation is number 0.
    """
    descriptor = os.open(counter, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    done = 0

    def observe(operation: str) -> None:
        nonlocal done
        if done == kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        os.write(descriptor, b".")

    durable.before_operation = observe
