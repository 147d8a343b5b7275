"""Versions of a run's weights as one artifact of Weights & Biases, without a copy on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.engine.cadence import Moment
from rsforge.engine.checkpoint_writer import CheckpointNames

STAGING = "artifacts/staging"  # below WANDB_DATA_DIR; wandb removes there what it has uploaded


class Versions:
    """Logs the weights of kept checkpoints and of the best so far, as ``epoch-N`` and ``best``; W&B adds ``latest``.

    Online that happens at every kept checkpoint and at the end. Offline it happens at the end alone, when it is
    known which weights were kept: they wait as further links of their files, so that later epochs cannot change
    them, and take no room until those are deleted.
    """

    def __init__(self, run: Any, output: Path, names: CheckpointNames, *, steps_per_epoch: int, name: str) -> None:
        self.run, self.output, self.names, self.name = run, output, names, name
        self.steps_per_epoch = steps_per_epoch
        self.kept: dict[Moment, int] = {}
        self.best: dict[Moment, int] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Hear that the row of an epoch or validation has its checkpoint, and whether it is the best."""
        moment = Moment(row["epoch"])
        if row["step"] % self.steps_per_epoch:
            moment = Moment(row["step"], "step")
        if row["best"]:
            self.best = {moment: row["step"]}
        candidates = dict.fromkeys((moment, Moment(row["step"], "step")), row["step"])
        kept = {one: step for one, step in candidates.items() if (self.output / self.names.periodic_name(one)).exists()}
        self.kept |= kept
        if kept and not self.run.offline:
            self.publish()

    def publish(self) -> None:
        """Log what has not been logged, in the order of steps."""
        moments = self.kept | self.best
        for moment in sorted(moments, key=lambda one: moments[one]):
            files = self._files(moment)
            if files and all(path.exists() for path in files.values()):
                aliases = [f"{moment.unit}-{moment.number}"]
                if moment in self.best:
                    aliases.append("best")
                self._log(moment, files, aliases)
        self.kept, self.best = {}, {}

    def _files(self, moment: Moment) -> dict[str, Path]:
        """Name in the artifact, and where the weights of ``moment`` are."""
        if not self.names.weights_only:
            return {self.names.best: self.output / self.names.best} if moment in self.best else {}
        found = {}
        for net in self.names.weights_only:
            periodic = self.output / self.names.weights(net, moment.number, moment.unit)
            # The best weights stand in for those of their own moment alone; others may have been deleted since.
            only_best = moment in self.best and not periodic.exists()
            found[f"{net}.pth"] = self.output / f"{net}.pth" if only_best else periodic
        return found

    def _log(self, moment: Moment, files: dict[str, Path], aliases: list[str]) -> None:
        from wandb import Artifact

        folder = Path(os.environ["WANDB_DATA_DIR"], STAGING, f"{self.run.id}-{moment.unit}-{moment.number}")
        folder.mkdir(parents=True, exist_ok=True)
        artifact = Artifact(self.name, type="model", metadata={moment.unit: moment.number})
        for name, path in files.items():
            durable.link_or_copy(path, folder / name)
            artifact.add_file(str(folder / name), name=name, policy="immutable", skip_cache=True)
        self.run.log_artifact(artifact, aliases=aliases)
