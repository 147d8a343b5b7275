"""Sides of a comparison measured in turns, so that a busy machine disturbs all of them alike.

Where other programs want the same processors, OMP_WAIT_POLICY=passive keeps waiting threads from spinning.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from operator import truediv
from statistics import median
from typing import Any, NamedTuple

THREADS = 2


class Spent(NamedTuple):
    """Seconds on the clock, and seconds of all processors together."""

    wall: float
    cpu: float


def timed(work: Callable[[], object]) -> Spent:
    """What ``work`` takes in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def repeats(default: int) -> int:
    """``--repeats N`` of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=default)
    return max(1, int(parser.parse_args().repeats))


def interleaved(sides: Mapping[str, Callable[[], Spent]], rounds: int) -> dict[str, list[Spent]]:
    """Every side once a round, in reversed order every other round, so that a drift favours none."""
    spent: dict[str, list[Spent]] = {name: [] for name in sides}
    for turn in range(rounds):
        for name in list(sides)[:: -1 if turn % 2 else 1]:
            spent[name].append(sides[name]())
    return spent


def report(benchmark: str, spent: Mapping[str, list[Spent]], *, against: str, **more: Any) -> None:
    """One JSON line: median and least of each side, and the ratios of both to the side ``against``.

    ``ratio`` is the median over rounds; ``least_ratio`` compares the fastest rounds, which a busy machine spoils
    less.
    """
    sides = {name: _figures(rounds, spent[against]) for name, rounds in spent.items()}
    rounds, machine = len(spent[against]), f"{platform.machine()}, {os.cpu_count()} processors"
    line = {"benchmark": benchmark, "against": against, "rounds": rounds, "machine": machine, **more, "sides": sides}
    print(json.dumps(line))


def _figures(own: list[Spent], others: list[Spent]) -> dict[str, dict[str, float]]:
    return {kind: _clock([getattr(s, kind) for s in own], [getattr(s, kind) for s in others]) for kind in Spent._fields}


def _clock(own: list[float], others: list[float]) -> dict[str, float]:
    figures = {"median_s": median(own), "least_s": min(own)}
    ratios = {"ratio": median(map(truediv, own, others)), "least_ratio": min(own) / min(others)}
    return {name: round(value, 4) for name, value in (figures | ratios).items()}
