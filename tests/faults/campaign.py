"""Kills commands at random moments, runs them again as a user would, and compares what they end with.

Usage: ``python -m tests.faults.campaign [--kills N] [--seed N] [WORD ...]``; with words, only the commands whose names
hold one of them. Half of the kills come at a random time, half before a random durable operation (a write, a flush, a
rename). Prints a line a command and exits with 1 where a command did not end exactly as one that nobody killed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rsforge import durable
from rsforge.data.io.image_writer import encode_image
from tests.faults.commands import COMMANDS, Command
from tests.faults.trials import Tally, Trial

LIBRARIES = ("torch._dynamo",)
READERS = ("h5py", "rasterio", "pyarrow.parquet", "scipy.ndimage")


def prepare(commands: Sequence[Command]) -> None:
    """Import once what every forked command would import."""
    from rsforge.cli.app import load_all

    load_all()
    learns = any(not command.module.startswith("rsforge.recipes.data") for command in commands)
    if learns:
        _prepare_torch()
    for name in (*READERS, *(LIBRARIES if learns else ()), *sorted({command.module for command in commands})):
        importlib.import_module(name)


def _prepare_torch() -> None:
    import torch

    from rsforge.compat import ensure_torchvision
    from rsforge.recipes.tracking import loss_plots

    ensure_torchvision()
    torch.set_num_threads(1)
    loss_plots.draw = draw_digest  # type: ignore[assignment]


def draw_digest(rows: Sequence[object], curves: object, path: Path, *, marks: object) -> None:
    """Write a picture of the digest of a journal, since drawing its curves takes longer than a tiny training."""
    digest = np.frombuffer(hashlib.sha256(repr(rows).encode()).digest(), np.uint8)
    durable.write_bytes(path, encode_image(digest.reshape(4, 8), path.suffix))


def share(kills: int, commands: Sequence[Command]) -> list[int]:
    """``kills`` divided by the weights of the commands, at least one each."""
    total, given = sum(command.weight for command in commands), 0
    shares = []
    passed = 0
    for command in commands:
        passed += command.weight
        shares.append(max(1, round(kills * passed / total) - given))
        given += shares[-1]
    return shares


def run_campaign(commands: Sequence[Command], kills: int, seed: int, base: Path) -> list[Tally]:
    """Kill every command its share of times; prints a line for each."""
    tallies = []
    print(f"{'command':<29}{'kills':>6}{'exact':>7}{'lost steps':>12}{'worst':>7}{'seconds':>9}", flush=True)
    for command, number in zip(commands, share(kills, commands), strict=True):
        began = time.monotonic()
        trial = Trial(command, base / re.sub(r"\W+", "_", command.name), random.Random(f"{seed} {command.name}"))
        tally = trial.kill(number)
        tallies.append(tally)
        print(f"{command.name:<29}{tally.row()}{time.monotonic() - began:>9.1f}", flush=True)
        print(*(f"    {fault}" for fault in tally.faults), sep="\n", end="\n" if tally.faults else "", flush=True)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    commands = [c for c in COMMANDS if not options.words or any(word in c.name for word in options.words)]
    began = time.monotonic()
    prepare(commands)
    root = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=root) as folder:
        tallies = run_campaign(commands, options.kills, options.seed, Path(folder))
    kills, runs = sum(t.kills for t in tallies), sum(t.runs for t in tallies)
    faults = sum(len(tally.faults) for tally in tallies)
    print(
        f"{kills} kills of {len(commands)} commands, {sum(t.exact for t in tallies)} of {runs} runs exact, "
        f"{faults} faults, in {time.monotonic() - began:.0f} s, seed {options.seed}"
    )
    sys.exit(bool(faults) or not commands)


if __name__ == "__main__":
    main()
