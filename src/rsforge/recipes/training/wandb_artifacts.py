"""Versions of a run's weights as one artifact of Weights & Biases, without a copy on the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.engine.checkpoint_writer import CheckpointNames, due

STAGING = "artifacts/staging"  # below WANDB_DATA_DIR; wandb removes there what it has uploaded


class Versions:
    """Logs the weights of periodic epochs and of the best so far, as ``epoch-N`` and ``best``; W&B adds ``latest``.

    Online that happens at every periodic epoch and at the end. Offline it happens at the end alone, when it is
    known which weights were kept: they wait as further links of their files, so that later epochs cannot change
    them, and take no room until those are deleted.
    """

    def __init__(self, run: Any, output: Path, names: CheckpointNames, *, every: int, name: str) -> None:
        self.run, self.output, self.names, self.every, self.name = run, output, names, every, name
        self.periodic: set[int] = set()
        self.best = 0

    def written(self, epoch: int, *, best: bool) -> None:
        """Hear that ``epoch`` has its checkpoint, and whether it is the best."""
        if best:
            self.best = epoch
        if due(self.every, epoch) or self._is_kept(epoch):
            self.periodic.add(epoch)
            if not self.run.offline:
                self.publish()

    def _is_kept(self, epoch: int) -> bool:
        """The last epoch's are kept too, whenever that is."""
        return any((self.output / self.names.weights(net, epoch)).exists() for net in self.names.weights_only)

    def publish(self) -> None:
        """Log what has not been logged, in the order of epochs."""
        for epoch in sorted(self.periodic | {self.best} - {0}):
            files = self._files(epoch)
            if files and all(path.exists() for path in files.values()):
                self._log(epoch, files, [f"epoch-{epoch}"] + ["best"] * (epoch == self.best))
        self.periodic, self.best = set(), 0

    def _files(self, epoch: int) -> dict[str, Path]:
        """Name in the artifact, and where the weights of ``epoch`` are."""
        if not self.names.weights_only:
            return {self.names.best: self.output / self.names.best} if epoch == self.best else {}
        place = self.names.weights if epoch in self.periodic else lambda net, _: f"{net}.pth"
        return {f"{net}.pth": self.output / place(net, epoch) for net in self.names.weights_only}

    def _log(self, epoch: int, files: dict[str, Path], aliases: list[str]) -> None:
        from wandb import Artifact

        folder = Path(os.environ["WANDB_DATA_DIR"], STAGING, f"{self.run.id}-epoch-{epoch}")
        folder.mkdir(parents=True, exist_ok=True)
        artifact = Artifact(self.name, type="model", metadata={"epoch": epoch})
        for name, path in files.items():
            durable.link_or_copy(path, folder / name)
            artifact.add_file(str(folder / name), name=name, policy="immutable", skip_cache=True)
        self.run.log_artifact(artifact, aliases=aliases)
