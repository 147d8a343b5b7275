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
from rsforge.engine.ema import averaged_weights


def due(every: int, count: int) -> bool:
    """Whether something done ``every`` so many epochs is due after ``count`` of them; 0 is never."""
    return every > 0 and count % every == 0


@dataclass(frozen=True, slots=True)
class CheckpointNames:
    """File names of a run; ``periodic`` holds one integer field such as ``checkpoint_{:04d}.pt``.

    Of the nets in ``weights_only`` the weights alone are written too: of the best epoch as ``NET.pth``, and the
    periodic ones into ``folder``.
    """

    periodic: str
    latest: str = "latest_model.pt"
    best: str = "best_model.pt"
    weights_only: tuple[str, ...] = ()
    folder: str = "checkpoints"

    def pattern(self) -> re.Pattern[str]:
        before, after = re.split(r"\{.*?\}", self.periodic)
        return re.compile(re.escape(before) + r"(\d+)" + re.escape(after))

    def weights(self, net: str, epochs: int | str) -> str:
        """Where the periodic weights of a net are."""
        return f"{self.folder}/{net}_epoch_{epochs}.pth"


class CheckpointWriter:
    """Writes a run's checkpoints into ``folder``.

    Each commit is written once, as the latest; best and periodic ones are further names of the same file. Older
    periodic ones are deleted beyond ``keep`` (0 keeps all), only after the new one is committed.
    """

    def __init__(
        self, folder: Path, names: CheckpointNames, *, identity: Mapping[str, Any], every: int = 0, keep: int = 0
    ) -> None:
        self.folder, self.names, self.identity, self.every, self.keep = folder, names, identity, every, keep

    def commit(self, state: Callable[[], dict[str, Any]], *further: str) -> None:
        """Write the state once, under the ``further`` names and, last of all, as the latest.

        The order matters: a run killed before it has the latest repeats the epoch and writes the others again;
        the other way round it would go on without them.
        """
        first, *others = *further, self.names.latest
        checkpoint.save(self.folder / first, {**self.identity, **state()})
        for name in others:
            durable.link_or_copy(self.folder / first, self.folder / name)

    def commit_epoch(self, state: Callable[[], dict[str, Any]], *, epochs: int, best: bool, last: bool = False) -> None:
        """The commit after ``epochs`` whole epochs; the ``last`` is kept like a periodic one where there are any."""
        periodic, whole = due(self.every, epochs) or (last and self.every > 0), state()
        names = [self.names.periodic.format(epochs)] * periodic + [self.names.best] * best
        for net in self.names.weights_only if names else ():
            own = [self.names.weights(net, epochs)] * periodic + [f"{net}.pth"] * best
            self._publish(whole["nets"][net] | averaged_weights(whole["parts"].get("ema", {}), net), own)
        self.commit(lambda: whole, *names)
        if periodic:
            checkpoint.retain(self.folder, self.names.pattern(), self.keep)
            for net in self.names.weights_only:
                pattern = re.compile(re.escape(f"{net}_epoch_") + r"(\d+)\.pth")
                checkpoint.retain(self.folder / self.names.folder, pattern, self.keep)

    def _publish(self, weights: Mapping[str, Tensor], names: list[str]) -> None:
        first, *others = (self.folder / name for name in names)
        first.parent.mkdir(exist_ok=True)
        with durable.open_atomic(first) as file:
            torch.save({name: tensor.detach().cpu() for name, tensor in weights.items()}, file)
        for path in others:
            durable.link_or_copy(first, path)


class NoCheckpointWriter(CheckpointWriter):
    """The keeper of a process that does not write."""

    def __init__(self) -> None: ...

    def commit(self, state: Callable[[], dict[str, Any]], *further: str) -> None:
        state()  # what several processes have to say of it

    def commit_epoch(self, state: Callable[[], dict[str, Any]], *, epochs: int, best: bool, last: bool = False) -> None:
        state()


def newest(folder: Path, names: CheckpointNames) -> Path | None:
    """The latest checkpoint, else the highest periodic one, else the best; None when there is none."""
    periodic = [p for p in folder.glob("*.pt") if names.pattern().fullmatch(p.name)]
    numbered = sorted(periodic, key=lambda p: int(re.findall(r"\d+", p.name)[-1]), reverse=True)
    candidates = [folder / names.latest, *numbered, folder / names.best]
    return next((p for p in candidates if p.is_file()), None)
