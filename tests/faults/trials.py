"""One command, killed again and again: what it left each time, and what it ended with."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from safetensors.torch import load_file

from rsforge.durable import LOCK, TEMPORARY
from rsforge.engine import journal
from rsforge.recipes import output_names
from rsforge.recipes.training.resume import last_step
from tests.attacks.server import become
from tests.faults.commands import Command
from tests.faults.forks import are_gone, end_members, fork, has_ended, members, wait
from tests.faults.operations import count_operations

UNCOMPARED = {LOCK, output_names.TIMING, output_names.SETTINGS}
"""What says when and how a run was called, beside what it made."""
APPENDED = {output_names.JOURNAL, output_names.TIMING, ".extraction.jsonl", LOCK}
"""What is written line by line, whose last line a kill may cut."""
MOST_A_RUN = 3  # kills of one run
MOST_STARTS = 12
PATIENCE_S = 300.0
LINGER_S = 5.0  # what processes may need to notice that the one that started them is dead
RESUMED = re.compile(r"resuming +\S+ at step (\d+)")


class Moment(NamedTuple):
    """When a command is killed: after so many seconds, or before one of its durable operations."""

    seconds: float | None = None
    operation: int | None = None


@dataclass
class Tally:
    """What the kills of a command showed; ``lost`` are the steps that each resumption trained again."""

    kills: int = 0
    runs: int = 0
    exact: int = 0
    lost: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def row(self) -> str:
        lost, worst = (str(sum(self.lost)), str(max(self.lost))) if self.lost else ("-", "-")
        return f"{self.kills:>6}{f'{self.exact}/{self.runs}':>7}{lost:>12}{worst:>7}"


class Trial:
    """A command in a folder of its own: run once undisturbed, then killed at moments that ``chance`` draws."""

    def __init__(self, command: Command, folder: Path, chance: random.Random) -> None:
        self.command, self.chance, self.tally = command, chance, Tally()
        self.place, self.output = folder / "place", folder / "said"
        self.place.mkdir(parents=True)
        if wait(fork(self._make_inputs)):
            raise RuntimeError(f"the inputs of {command.name} cannot be made")
        self.inputs = read_files(self.place)
        began = time.monotonic()
        if self._run(command.line.split(), Moment()):
            raise RuntimeError(f"{command.name} fails without a kill: {self._read_words()}")
        self.seconds = time.monotonic() - began
        self.operations = self.output.with_suffix(".operations").stat().st_size
        self.expected = self._read_results()
        self.most_lost = self._count_steps_of_an_epoch() if command.trains else 0

    def _make_inputs(self) -> None:
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            self.command.make(self.place)

    def kill(self, kills: int) -> Tally:
        """Runs until the command was killed ``kills`` times."""
        while self.tally.kills < kills:
            self._clear()
            before = len(self.tally.faults)
            self._run_to_the_end(min(MOST_A_RUN, kills - self.tally.kills))
            self.tally.runs += 1
            self.tally.exact += len(self.tally.faults) == before
        return self.tally

    def _run_to_the_end(self, kills: int) -> None:
        """Start the command until it ends by itself, killed at most ``kills`` times; faults go to the tally."""
        whole = self.command.line.split()
        again = [*whole, "--resume"] if self.command.trains else whole
        argv, most = whole, self.tally.kills + kills
        for _ in range(MOST_STARTS):
            reached = last_step(self.place / "run")
            code = self._run(argv, self._draw_moment() if self.tally.kills < most else Moment())
            resumed = RESUMED.search(self._read_words())
            if self.command.trains and argv != whole and (resumed or "--resume" not in argv):
                self._count_lost(reached - int(resumed[1] if resumed else 0))
            if self._was_killed(code):
                self.tally.kills += 1
                self._check_halves()
                argv = again
            elif code == 0:
                return self._compare()
            else:
                followed = follow(argv, self._read_words())
                if followed is None:
                    return self._blame(f"exit {code}: {self._read_words()[-400:]}")
                argv = followed
        return self._blame(f"it did not end in {MOST_STARTS} starts: {self._read_words()[-400:]}")

    def _count_steps_of_an_epoch(self) -> int:
        """What a kill may cost: these trainings write a checkpoint after every epoch."""
        rows = journal.read(self.place / "run" / output_names.JOURNAL)
        return -(-rows[-1]["step"] // sum(row["step"] > 0 for row in rows if row.get("closed")))

    def _count_lost(self, steps: int) -> None:
        self.tally.lost.append(steps)
        if steps > self.most_lost:
            self._blame(f"{steps} steps are trained again, more than the {self.most_lost} of an epoch")

    def _was_killed(self, code: int) -> bool:
        """Whether a process of the command was killed; where there are several the others say so."""
        return code == -signal.SIGKILL or (self.command.processes > 1 and "RSF-E009" in self._read_words())

    def _draw_moment(self) -> Moment:
        if self.command.processes == 1 and self.operations and self.chance.random() < 0.5:
            return Moment(operation=self.chance.randrange(self.operations))
        return Moment(seconds=self.chance.uniform(0, 0.95 * self.seconds))

    def _run(self, argv: list[str], moment: Moment) -> int:
        pid = fork(partial(self._become, argv, moment.operation))
        if not has_ended(pid, PATIENCE_S if moment.seconds is None else moment.seconds):
            if moment.seconds is None:
                self._blame("it hangs")
            self._kill_one(pid)
        if not has_ended(pid, PATIENCE_S):
            self._blame("it outlives a process of its own")
            end_members(self.place)
        code = wait(pid)
        if self.command.processes > 1 and not are_gone(self.place, LINGER_S):
            self._blame("processes are left")
            end_members(self.place)
        return code

    def _kill_one(self, pid: int) -> None:
        """Kill the command, or where several processes train any of them."""
        others = members(self.place) if self.command.processes > 1 else []
        victim = self.chance.choice(sorted({pid, *others}))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)

    def _become(self, argv: list[str], kill_before: int | None) -> None:
        count_operations(self.output.with_suffix(".operations"), kill_before)
        become({"argv": argv, "cwd": str(self.place), "out": str(self.output)})

    def _read_words(self) -> str:
        return self.output.with_suffix(".stderr").read_text("utf-8", "replace")

    def _read_results(self) -> dict[str, bytes]:
        return {name: data for name, data in read_files(self.place).items() if name not in self.inputs}

    def _clear(self) -> None:
        for name in self._read_results():
            (self.place / name).unlink()
        for folder in sorted((p for p in self.place.rglob("*") if p.is_dir()), reverse=True):
            if not any(folder.iterdir()):
                folder.rmdir()

    def _check_halves(self) -> None:
        """Blame files under their final names that are not whole."""
        for name, data in self._read_results().items():
            path = self.place / name
            is_final = not path.name.startswith(TEMPORARY) and path.name not in APPENDED
            if is_final and data != self.expected.get(name) and not is_whole(path):
                self._blame(f"{name} is half a file after a kill")

    def _compare(self) -> None:
        """Blame what differs from an undisturbed run, or changed its inputs, or still runs."""
        if not are_gone(self.place, LINGER_S):
            self._blame("processes are left")
            end_members(self.place)
        found, expected = read_files(self.place), self.inputs | self.expected
        for name in sorted(found.keys() | expected.keys()):
            if Path(name).name in UNCOMPARED:
                continue
            if name not in found:
                self._blame(f"{name} is missing")
            elif name not in expected:
                self._blame(f"{name} is left")
            elif found[name] != expected[name]:
                self._blame(f"{name} differs")

    def _blame(self, fault: str) -> None:
        self.tally.faults.append(fault)


def follow(argv: list[str], words: str) -> list[str] | None:
    """The command line that a message advises in place of ``argv``; None where it advises none."""
    fix = words.rpartition("fix")[2]
    if "leave out --resume" in fix and "--resume" in argv:
        return [word for word in argv if word != "--resume"]
    for option in ("--skip-existing", "--overwrite"):
        if option in fix and option not in argv:
            return [*argv, option]
    return None


def read_files(folder: Path) -> dict[str, bytes]:
    """The contents of all files below ``folder`` by relative name."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def is_whole(path: Path) -> bool:
    """Whether a file that is not as in the end can be read; of a kind that is only written once it cannot be whole."""
    try:
        if path.suffix in (".pt", ".pth"):
            torch.load(path, weights_only=True)
        elif path.suffix == ".safetensors":
            load_file(path)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".png":
            Image.open(path).load()
        else:
            return False
    except Exception:
        return False
    return True
