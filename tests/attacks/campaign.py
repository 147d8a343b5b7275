"""Hostile files, the commands that are given them, and what must hold of every one."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.worlds import warm_python

ROOT = Path(__file__).parents[2]

SECONDS = 60  # of the clock, after which a command is ended
MOST_SECONDS, MOST_MIB = 10, 1536
REFUSED = (2, 3, 4, 6)
HANDLED = (0, *REFUSED, 5)
SECRET = "canary-5e1f0b"
"""What no command may print or copy; it stands in ``secret.txt`` and others beside the folder of an attack."""


@dataclass(frozen=True)
class Attack:
    """``make`` writes hostile files into an empty folder, in which ``argv`` is then run."""

    name: str
    argv: str
    make: Callable[[Path], Any]
    exits: Sequence[int] = REFUSED
    code: str = ""


def faults_of(attack: Attack, folder: Path) -> list[str]:
    """What a command did with its hostile files that it must not do; empty where it kept every promise."""
    place = folder / "place"
    place.mkdir(parents=True)
    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that are asked for odd files
        attack.make(place)
    out = folder / "run"
    job = {"argv": attack.argv.split(), "cwd": str(place), "out": str(out)}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RSFORGE_")} | {"TERM": "dumb"}
    done = warm_python.run(["-m", "tests.attacks.server", json.dumps(job)], environment, SECONDS)
    said = "".join(out.with_suffix(f".{s}").read_text("utf-8", "replace") for s in ("stdout", "stderr"))
    faults = []
    if done.returncode == -9:
        faults.append("did not end")
    elif done.returncode not in attack.exits:
        faults.append(f"exit {done.returncode}")
    if "Traceback" in said or "RSF-B001" in said:
        faults.append("a traceback")
    if attack.code and attack.code not in said:
        faults.append(f"no {attack.code}")
    if done.seconds > MOST_SECONDS:
        faults.append(f"{done.seconds} s of the processor")
    if done.mib > MOST_MIB:
        faults.append(f"{done.mib} MiB")
    if out.with_suffix(".events").exists():
        faults.append(out.with_suffix(".events").read_text())
    if SECRET in said or secret.read_text() != SECRET or (folder / "ran").exists():
        faults.append("the canary was read, changed or run")
    return [f"{attack.name}: {', '.join(faults)}: {said[-600:]}"] if faults else []
