"""Imports torch once and forks a run per case: kills, interruptions and their resumption at little cost.

Usage: ``python -m tests.engine.kill_server FOLDER KILLS WORKERS SEED``. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from functools import partial
from pathlib import Path

import torch

from rsforge import durable, leftovers
from rsforge.engine import checkpoint
from tests.engine.toys import trainer
from tests.faults.forks import fork, wait

FILES = ("latest_model.pt", "best_model.pt", "checkpoint_0002.pt", "checkpoint_0004.pt", "journal.jsonl")


def train(folder: Path, workers: int) -> None:
    folder.mkdir(exist_ok=True)
    with durable.lock_folder(folder):
        leftovers.sweep(folder)
        run = trainer(folder, workers=workers, cadences={"validate_start": True})
        latest = folder / "latest_model.pt"
        if latest.exists():
            run.load(checkpoint.load(latest))
        run.run()


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def finish(folder: Path, workers: int, chance: random.Random, span: float, most: int) -> list[int]:
    """Start again after every kill, of which there are at most so many, until a run ends by itself: the exit codes."""
    codes = []
    while True:
        pid = fork(partial(train, folder, workers))
        if len(codes) < most:
            time.sleep(chance.uniform(0, span))
            number = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            os.kill(pid, number)
        codes.append(wait(pid))
        if codes[-1] == 0:
            return codes


def main() -> None:
    base, kills, workers, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(1)
    chance, reference = random.Random(seed), base / "reference"
    train(base / "warm", 0)
    began = time.monotonic()
    wait(fork(partial(train, reference, workers)))
    span = time.monotonic() - began
    expected, left, runs, different, codes = files(reference), kills, 0, [], []
    while left:
        shutil.rmtree(base / "run", ignore_errors=True)
        most = min(left, -(-kills // 2))  # on a slow machine one run would take all
        seen = finish(base / "run", workers, chance, span, most)
        left, codes, runs = left - min(len(seen), most), codes + seen, runs + 1
        different += [n for n, data in files(base / "run").items() if data != expected[n]]
    print(json.dumps({"runs": runs, "different": different, "codes": sorted(set(codes))}))


if __name__ == "__main__":
    main()
