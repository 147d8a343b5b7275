"""Which checkpoint files a run writes, and when: latest, best, periodic, under names given from outside."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rsforge import durable
from rsforge.engine import checkpoint
from rsforge.engine.cadence import Moment
from rsforge.engine.ema import averaged_weights
from rsforge.errors import RsforgeError


@dataclass(frozen=True, slots=True)
class CheckpointNames:
    """File names of a run; ``periodic`` and ``by_step`` hold one integer field, the number of epochs or steps.

    Both may lie in one folder below that of the run, as ``place/NAME_{}.pt``.

    Of the nets in ``weights_only`` the weights alone are written too: of the best model as ``NET.pth``, and the
    periodic ones into ``folder``.
    """

    periodic: str
    by_step: str = "checkpoint-{}.pt"
    latest: str = "latest_model.pt"
    best: str = "best_model.pt"
    weights_only: tuple[str, ...] = ()
    folder: str = "checkpoints"

    def periodic_name(self, moment: Moment) -> str:
        """The name of the periodic checkpoint of ``moment``."""
        return self._template(moment.unit).format(moment.number)

    @property
    def place(self) -> str:
        """The folder of periodic checkpoints, below that of the run; empty where they lie beside the others."""
        return self.periodic.rpartition("/")[0]

    def run_folder(self, path: Path) -> Path:
        """The folder of the run whose checkpoint ``path`` is."""
        folder = path.parent
        if not self.place or folder.absolute().name != self.place or not self.pattern().fullmatch(path.name):
            return folder
        return folder.parent if folder.name else folder / ".."

    def pattern(self) -> re.Pattern[str]:
        """Matches the file names of all periodic checkpoints; one of its two groups is the number."""
        return re.compile(f"{self.pattern_of('epoch').pattern}|{self.pattern_of('step').pattern}")

    def pattern_of(self, unit: str) -> re.Pattern[str]:
        """Matches the names of periodic checkpoints by ``unit``; group 1 is the number."""
        before, after = re.split(r"\{.*?\}", self._template(unit).rpartition("/")[2])
        return re.compile(re.escape(before) + r"(\d+)" + re.escape(after))

    def moment_of(self, name: str) -> Moment:
        """The moment that the ``name`` of a periodic checkpoint states."""
        by_step = self.pattern_of("step").fullmatch(name)
        if by_step:
            return Moment(int(by_step[1]), "step")
        by_epoch = self.pattern_of("epoch").fullmatch(name)
        assert by_epoch is not None, name
        return Moment(int(by_epoch[1]))

    def weights(self, net: str, number: int | str, unit: str = "epoch") -> str:
        """Where the periodic weights of a net are."""
        return f"{self.folder}/{net}_{unit}_{number}.pth"

    def _template(self, unit: str) -> str:
        return self.periodic if unit == "epoch" else self.by_step


def nothing() -> None:
    """What accompanies checkpoints that stand alone."""


class CheckpointWriter:
    """Writes a run's checkpoints into ``folder``.

    Each commit is written once, as the latest; best and periodic ones are further names of the same file. Older
    periodic ones are deleted beyond ``keep`` (0 keeps all), only after the new one is committed. After that
    ``accompany`` is called, to write beside the periodic ones what is made of each; it also runs where a run goes on,
    since a kill may have come before it.
    """

    def __init__(
        self,
        folder: Path,
        names: CheckpointNames,
        *,
        identity: Mapping[str, Any],
        keep: int = 0,
        accompany: Callable[[], None] = nothing,
    ) -> None:
        self.folder, self.names, self.identity, self.keep, self.accompany = folder, names, identity, keep, accompany

    def commit(self, state: Callable[[], dict[str, Any]], *further: str) -> None:
        """Write the state once, under the ``further`` names and, last of all, as the latest.

        The order matters: what a run that was killed in between goes on from says which names came before it, and
        ``complete`` gives it those that come after.
        """
        first, *others = *further, self.names.latest
        checkpoint.save(self.folder / first, {**self.identity, **state()})
        for name in others:
            durable.link_or_copy(self.folder / first, self.folder / name)

    def commit_closed(
        self, state: Callable[[], dict[str, Any]], *, kept: Moment | None = None, best: bool = False
    ) -> None:
        """The commit where something was due: also as a periodic one of the moment ``kept``, and as the best."""
        whole = state()
        if self.names.weights_only:  # they are written before the checkpoint, which would refuse them
            checkpoint.check_finite({**self.identity, **whole}, self.folder / self.names.latest)
        names = [self.names.best] if best else []
        if kept is not None:
            names.append(self.names.periodic_name(kept))
        for net in self.names.weights_only if names else ():
            weights = [self.names.weights(net, kept.number, kept.unit)] if kept is not None else []
            weights += [f"{net}.pth"] if best else []
            self._publish(whole["nets"][net] | averaged_weights(whole["parts"].get("ema", {}), net), weights)
        self.commit(lambda: whole, *names)
        if kept is not None:
            self.retain()
            self.accompany()

    def complete(self, path: Path, kept: Moment | None) -> None:
        """Finish the commit of the checkpoint ``path``: also as the periodic one of ``kept``, and as the latest."""
        names = [self.names.periodic_name(kept)] if kept is not None else []
        for name in (*names, self.names.latest):
            if path.name != Path(name).name:
                durable.link_or_copy(path, self.folder / name)
        if kept is not None:
            self.retain()

    def retain(self) -> None:
        """Delete periodic checkpoints beyond the newest ``keep``, by the steps that they state, with their weights.

        One that cannot be read stays, and counts as none: how new it is is unknown.
        """
        periodic = list_periodic(self.folder, self.names)
        # Reading what they state takes longer than writing one: only where there are too many.
        if not self.keep or len(periodic) <= self.keep:
            return
        stated = {path: _stated_progress(path) for path in periodic}
        readable = sorted((progress, path) for path, progress in stated.items() if progress is not None)
        for _, path in readable[: -self.keep]:
            moment = self.names.moment_of(path.name)
            for net in self.names.weights_only:
                (self.folder / self.names.weights(net, moment.number, moment.unit)).unlink(missing_ok=True)
            path.unlink()

    def _publish(self, weights: Mapping[str, Tensor], names: list[str]) -> None:
        first, *others = (self.folder / name for name in names)
        first.parent.mkdir(exist_ok=True)
        with durable.open_atomic(first) as file:
            torch.save({name: tensor.detach().cpu() for name, tensor in weights.items()}, file)
        for path in others:
            durable.link_or_copy(first, path)


class NoCheckpointWriter(CheckpointWriter):
    """The writer of a process that does not write; it takes part in what several processes have to say."""

    def __init__(self) -> None: ...

    def commit(self, state: Callable[[], dict[str, Any]], *further: str) -> None:
        state()

    def commit_closed(
        self, state: Callable[[], dict[str, Any]], *, kept: Moment | None = None, best: bool = False
    ) -> None:
        state()

    def complete(self, path: Path, kept: Moment | None) -> None: ...

    def retain(self) -> None: ...


class StoredCheckpoint(NamedTuple):
    """A checkpoint file and the step that it states; None where it cannot say."""

    path: Path
    step: int | None


def list_periodic(folder: Path, names: CheckpointNames) -> list[Path]:
    """The files that are named as periodic checkpoints of the run in ``folder``, by name."""
    return sorted(path for path in (folder / names.place).glob("*") if names.pattern().fullmatch(path.name))


def list_newest_first(folder: Path, names: CheckpointNames) -> list[StoredCheckpoint]:
    """The checkpoints of ``folder`` by the step that they state, whatever their names and times say.

    Those that cannot be read come first: how new they are is unknown. Of equal ones the latest comes before periodic
    ones, and the best last.
    """
    candidates = (folder / names.latest, *list_periodic(folder, names), folder / names.best)
    present = [path for path in candidates if path.is_file()]
    stated = {p: _stated_progress(p) for p in present}
    ordered = sorted(present, key=lambda p: stated[p] or (sys.maxsize, 0), reverse=True)
    return [StoredCheckpoint(p, (stated[p] or (None,))[0]) for p in ordered]


@dataclass(frozen=True)
class _FileState:
    """A file as it is now: latest, best and periodic checkpoints are mostly names of one."""

    path: Path = field(compare=False)
    identity: tuple[int, ...]


def _stated_progress(path: Path) -> tuple[int, int] | None:
    """The step of a checkpoint, and that up to which everything due was done; None where it cannot be read."""
    try:
        now = path.stat()
        return _read_progress(_FileState(path, (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns)))
    except (RsforgeError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return None


@lru_cache(maxsize=1024)
def _read_progress(file: _FileState) -> tuple[int, int]:
    progress = checkpoint.load_metadata(file.path)["progress"]
    return int(progress["step"]), int(progress.get("closed", 0))
