"""What help costs beside importing torch; the claim is a ratio below 0.7 for each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial

from _paired import Spent, interleaved, repeats, report

CLAIM = 0.7
RSFORGE = [sys.executable, "-m", "rsforge"]
COMMANDS = {
    "import torch": [sys.executable, "-c", "import torch"],
    "rsforge --help": [*RSFORGE, "--help"],
    "rsforge vae train --help": [*RSFORGE, "vae", "train", "--help"],
    "rsforge sample --help": [*RSFORGE, "sample", "--help"],
}


def spent(command: list[str]) -> Spent:
    """What a process takes from its start to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def main() -> None:
    rounds = repeats(7)
    sides = {name: partial(spent, command) for name, command in COMMANDS.items()}
    interleaved(sides, 1)  # the first start reads the disk and compiles
    report("help_speed", interleaved(sides, rounds), against="import torch", claimed_below=CLAIM)


if __name__ == "__main__":
    main()
