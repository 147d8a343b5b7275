"""Which checkpoint files a run writes, and when: latest, best, periodic, under names given from outside."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rsforge import durable
from rsforge.engine import checkpoint
from rsforge.engine.cadence import Moment
from rsforge.engine.ema import averaged_weights


@dataclass(frozen=True, slots=True)
class CheckpointNames:
    """File names of a run; ``periodic`` and ``by_step`` hold one integer field, the number of epochs or steps.

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

    def pattern(self) -> re.Pattern[str]:
        """Matches the names of all periodic checkpoints; one of its two groups is the number."""
        return re.compile(f"{self.pattern_of('epoch').pattern}|{self.pattern_of('step').pattern}")

    def pattern_of(self, unit: str) -> re.Pattern[str]:
        """Matches the names of periodic checkpoints by ``unit``; group 1 is the number."""
        before, after = re.split(r"\{.*?\}", self._template(unit))
        return re.compile(re.escape(before) + r"(\d+)" + re.escape(after))

    def weights(self, net: str, number: int | str, unit: str = "epoch") -> str:
        """Where the periodic weights of a net are."""
        return f"{self.folder}/{net}_{unit}_{number}.pth"

    def _template(self, unit: str) -> str:
        return self.periodic if unit == "epoch" else self.by_step


class CheckpointWriter:
    """Writes a run's checkpoints into ``folder``.

    Each commit is written once, as the latest; best and periodic ones are further names of the same file. Older
    periodic ones are deleted beyond ``keep`` (0 keeps all), only after the new one is committed.
    """

    def __init__(self, folder: Path, names: CheckpointNames, *, identity: Mapping[str, Any], keep: int = 0) -> None:
        self.folder, self.names, self.identity, self.keep = folder, names, identity, keep

    def commit(self, state: Callable[[], dict[str, Any]], *further: str) -> None:
        """Write the state once, under the ``further`` names and, last of all, as the latest.

        The order matters: a run killed before it has the latest repeats its steps and writes the others again;
        the other way round it would go on without them.
        """
        first, *others = *further, self.names.latest
        checkpoint.save(self.folder / first, {**self.identity, **state()})
        for name in others:
            durable.link_or_copy(self.folder / first, self.folder / name)

    def commit_closed(
        self, state: Callable[[], dict[str, Any]], *, kept: Moment | None = None, best: bool = False
    ) -> None:
        """The commit where something was due: also as a periodic one of the moment ``kept``, and as the best."""
        names, whole = [], state()
        if kept is not None:
            names.append(self.names.periodic_name(kept))
        if best:
            names.append(self.names.best)
        for net in self.names.weights_only if names else ():
            weights = [self.names.weights(net, kept.number, kept.unit)] if kept is not None else []
            weights += [f"{net}.pth"] if best else []
            self._publish(whole["nets"][net] | averaged_weights(whole["parts"].get("ema", {}), net), weights)
        self.commit(lambda: whole, *names)
        if kept is not None:
            self._retain(kept.unit)

    def _retain(self, unit: str) -> None:
        checkpoint.retain(self.folder, self.names.pattern_of(unit), self.keep)
        for net in self.names.weights_only:
            pattern = re.compile(re.escape(f"{net}_{unit}_") + r"(\d+)\.pth")
            checkpoint.retain(self.folder / self.names.folder, pattern, self.keep)

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


def newest(folder: Path, names: CheckpointNames) -> Path | None:
    """The latest checkpoint, else the highest periodic one, else the best; None when there is none."""
    periodic = [p for p in folder.iterdir() if names.pattern().fullmatch(p.name)] if folder.is_dir() else []
    numbered = sorted(periodic, key=lambda p: int(re.findall(r"\d+", p.name)[-1]), reverse=True)
    candidates = [folder / names.latest, *numbered, folder / names.best]
    return next((p for p in candidates if p.is_file()), None)
