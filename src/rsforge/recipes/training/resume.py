"""What a run to go on with says of itself before it goes on."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_writer import list_newest_first
from rsforge.errors import RsforgeError
from rsforge.recipes import output_names
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout

# Why a file under the name of a checkpoint is passed over where the newest sound one is wanted.
UNUSABLE = {
    "RSF-C001": "is gone",
    "RSF-C002": "is damaged",
    "RSF-C003": "is not a checkpoint",
    "RSF-C007": "is malformed",
    "RSF-T001": "is not finite",
}

RESUMED = (
    "progress/step", "progress/shape", "nets", "parts/stopping/rules", "settings/loop/epochs", "settings/optim",
    "images/train",
)  # fmt: skip
"""What a checkpoint must hold to be gone on with."""


class HasCheckpoints(Protocol):
    """A method, as far as its checkpoints can be found: their kind and the names of its files."""

    @property
    def kind(self) -> str: ...
    @property
    def outputs(self) -> OutputLayout: ...


class StoredSettings(NamedTuple):
    """The settings of a checkpoint by section, and the flat names of those that somebody chose; None where not kept."""

    path: Path
    settings: dict[str, Any]
    given: frozenset[str] | None = None


def stored_settings(method: HasCheckpoints, folder: Path, resume: str) -> StoredSettings:
    """What the checkpoint says that ``resume`` names, or for ``auto`` the newest sound one of ``folder``.

    The weights are not read. RSF-C001 where there is none, C002 to C005 where it cannot be used.
    """
    if resume != "auto":
        return _settings(method, Path(resume))
    failure = nothing_to_resume(folder)
    for path, _ in list_newest_first(folder, method.outputs.names):
        try:
            return _settings(method, path)
        except RsforgeError as error:
            if error.code not in UNUSABLE:
                raise
            failure = error
    raise failure


def _settings(method: HasCheckpoints, path: Path) -> StoredSettings:
    state = checkpoint.load_metadata(path, kind=method.kind)
    checkpoint.require(state, ("settings",), where=str(path))
    given = frozenset(state["given"]) if "given" in state else None
    return StoredSettings(path, state["settings"], given)


class ResumePoint(NamedTuple):
    """What a run goes on from; ``newer`` are sound checkpoints of later steps, which it gives up."""

    path: Path
    state: dict[str, Any]
    newer: list[Path]

    @property
    def step(self) -> int:
        return int(self.state["progress"]["step"])


def find_newest(folder: Path, outputs: OutputLayout, *, kind: str, console: Console) -> ResumePoint:
    """The sound checkpoint of the highest step; those that are passed over are named. RSF-C001 where there is none."""
    failure = nothing_to_resume(folder)
    reached = 0
    for path, step in list_newest_first(folder, outputs.names):
        reached = max(reached, step or 0)
        try:
            state = checkpoint.load(path, kind=kind)
            checkpoint.require(state, RESUMED, where=str(path))
            checkpoint.check_finite(state, path)
        except RsforgeError as error:
            if error.code not in UNUSABLE:
                raise
            console.warn(f"{path.name} {UNUSABLE[error.code]} and left aside")
            failure = error
            continue
        point = ResumePoint(path, state, [])
        _say_point(point, max(reached, last_step(folder)), console)
        return point
    raise failure


def open_named(path: Path, outputs: OutputLayout, *, kind: str, console: Console) -> ResumePoint:
    """The checkpoint ``path``, however old it is."""
    state = checkpoint.load(path, kind=kind)
    checkpoint.require(state, RESUMED, where=str(path))
    step = int(state["progress"]["step"])
    folder = outputs.names.run_folder(path)
    stored = list_newest_first(folder, outputs.names)
    point = ResumePoint(path, state, [one.path for one in stored if (one.step or 0) > step and one.path != path])
    _say_point(point, max([last_step(folder), *(one.step or 0 for one in stored)]), console)
    return point


def _say_point(point: ResumePoint, reached: int, console: Console) -> None:
    """Say which file is used, and which steps of the run are lost."""
    first = point.step + 1
    steps = f"step {first} is" if reached == first else f"steps {first} to {reached} are"
    lost = f"; {steps} trained again" if reached > point.step else ""
    console.say(f"resuming   {point.path} at step {point.step}{lost}")


def last_step(folder: Path) -> int:
    """The last step in the journal of ``folder``; 0 where it says none."""
    with contextlib.suppress(OSError):
        lines = (folder / output_names.JOURNAL).read_bytes().splitlines()
        for line in reversed(lines):
            with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
                return int(json.loads(line)["step"])
    return 0


def set_newer_aside(point: ResumePoint, console: Console) -> None:
    """Rename the checkpoints that the run gives up, which would else be the newest where it is resumed again."""
    for path in point.newer:
        path.replace(path.with_name(path.name + output_names.SET_ASIDE))
    if point.newer:
        names = ", ".join(path.name for path in point.newer)
        console.say(f"set aside  {names}: of later steps, now *{output_names.SET_ASIDE}")


def nothing_to_resume(folder: Path) -> RsforgeError:
    """RSF-C001: no checkpoint in ``folder``."""
    occupied = folder.is_dir() and any(folder.iterdir())
    start = "leave out --resume and add --overwrite to start again" if occupied else "leave out --resume to start"
    fix = f"{start}, or name the checkpoint"
    return RsforgeError("RSF-C001", f"no checkpoint to resume from in {folder}", where=str(folder), fix=fix)
