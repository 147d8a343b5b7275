"""Hostile files, the commands that are given them, and what must hold of every one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
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


class Server:
    """The process that runs the commands; started by the first of them."""

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RSFORGE_")}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TERM": "dumb"}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.attacks.server"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout and self.process.stdout.readline() == "ready\n"

    def ask(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        reply: dict[str, Any] = json.loads(self.process.stdout.readline())
        return reply

    def close(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def faults_of(attack: Attack, server: Server, folder: Path) -> list[str]:
    """What a command did with its hostile files that it must not do; empty where it kept every promise."""
    place = folder / "place"
    place.mkdir(parents=True)
    secret = folder / "secret.txt"
    secret.write_text(SECRET)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries that are asked for odd files
        attack.make(place)
    out = folder / "run"
    reply = server.ask({"argv": attack.argv.split(), "cwd": str(place), "out": str(out)})
    said = "".join(out.with_suffix(f".{s}").read_text("utf-8", "replace") for s in ("stdout", "stderr"))
    faults = []
    if reply["exit"] == -9:
        faults.append("did not end")
    elif reply["exit"] not in attack.exits:
        faults.append(f"exit {reply['exit']}")
    if "Traceback" in said or "RSF-B001" in said:
        faults.append("a traceback")
    if attack.code and attack.code not in said:
        faults.append(f"no {attack.code}")
    if reply["seconds"] > MOST_SECONDS:
        faults.append(f"{reply['seconds']} s of the processor")
    if reply["mib"] > MOST_MIB:
        faults.append(f"{reply['mib']} MiB")
    if out.with_suffix(".events").exists():
        faults.append(out.with_suffix(".events").read_text())
    if SECRET in said or secret.read_text() != SECRET or (folder / "ran").exists():
        faults.append("the canary was read, changed or run")
    return [f"{attack.name}: {', '.join(faults)}: {said[-600:]}"] if faults else []
