"""What a method is to the trainings: three to five functions and a few names."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from rsforge.models.catalogue import NETWORKS
from rsforge.recipes.console import Console
from rsforge.recipes.output_names import OutputLayout
from rsforge.recipes.tracking.loss_plots import Curves
from rsforge.recipes.training.decisions import Decision
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings


class HasIdentity(Protocol):
    """Datasets that know their digest and sizes: a run resumes on the same ones alone."""

    @property
    def identity(self) -> Mapping[str, Any]: ...


COMMON_KEYS = {"settings", "given", "images", "partners", "baselines"}
"""What every checkpoint says, whatever the method."""

S = TypeVar("S", bound=TrainSettings)
D = TypeVar("D", bound=HasIdentity)
N = TypeVar("N")


def info_command(settings: Any, checkpoint: Path) -> str:
    """The command after the training of a method that names no other."""
    return shlex.join(["rsforge", "info", str(checkpoint)])


@dataclass(frozen=True)
class Method(Generic[S, D, N]):
    """A method as :func:`rsforge.recipes.training.run.fit` runs it, in this order.

    ``check(settings, console)`` refuses what cannot be trained before anything is read. ``datasets(settings, compute,
    console)`` reads and divides the data, and loads the models it builds on. ``networks(settings, datasets, compute)``
    makes the networks, under the seed of the run. ``spec(settings, datasets, networks, compute, console)`` puts the
    training together and writes nothing. ``prepare(settings, datasets, compute, console)`` may write into the output
    folder, which is locked by then, and returns the datasets to train on.

    ``decide(settings, stored, compute, console)`` gives values to settings that leave the choice to the machine, before
    all that; ``stored`` are the settings of the run to go on with by flat name, whose decisions it keeps.

    ``resumed_datasets(settings, compute, console, state)`` is in the place of ``datasets`` where a run goes on: what
    was measured on the data is in ``state``, its checkpoint. ``finish(settings, datasets, checkpoint, console)`` makes
    what else the trained model is wanted as, in the process that writes, and returns what the result says of it.
    ``judge(settings, datasets, spec, checkpoint, compute, console)`` measures the best model beside its baselines on
    what chose nothing, after that and in the same process, and returns what ``judged.json`` and the result say of it.
    ``publish(settings, datasets, checkpoint, judged, console)`` comes last, when that is written: it adds what was
    ``judged`` to what ``finish`` made and sends it away, whose failure costs nothing but the sending.

    ``check``, ``prepare``, ``judge``, ``finish`` and ``publish`` may be left out. ``kind`` is that of its checkpoints,
    ``required`` what they must say; ``curves`` are those of the loss plot; ``next_command(settings, checkpoint)`` is
    what a user runs with the trained model.
    """

    kind: str
    outputs: OutputLayout
    curves: Curves
    required: tuple[str, ...]
    datasets: Callable[[S, Compute, Console], D]
    networks: Callable[[S, D, Compute], N]
    spec: Callable[[S, D, N, Compute, Console], TrainingSpec]
    check: Callable[[S, Console], None] = lambda settings, console: None
    prepare: Callable[[S, D, Compute, Console], D] = lambda settings, datasets, compute, console: datasets
    finish: Callable[[S, D, Path, Console], dict[str, Any]] = lambda settings, datasets, checkpoint, console: {}
    judge: Callable[[S, D, TrainingSpec, Path, Compute, Console], dict[str, Any]] = (
        lambda settings, datasets, spec, checkpoint, compute, console: {}
    )
    publish: Callable[[S, D, Path, Mapping[str, Any], Console], dict[str, Any]] = (
        lambda settings, datasets, checkpoint, judged, console: {}
    )
    next_command: Callable[[S, Path], str] = info_command
    resumed_datasets: Callable[[S, Compute, Console, Mapping[str, Any]], D] | None = None
    decide: Callable[[S, Mapping[str, Any], Compute, Console], dict[str, Decision]] = (
        lambda settings, stored, compute, console: {}
    )

    def read(self, settings: S, state: Mapping[str, Any] | None, compute: Compute, console: Console) -> D:
        """The data sets of a run that begins, or goes on from ``state``."""
        if state is None or self.resumed_datasets is None:
            return self.datasets(settings, compute, console)
        return self.resumed_datasets(settings, compute, console, state)

    def check_spec(self, spec: TrainingSpec) -> None:
        """``RuntimeError`` before anything is written, when checkpoints of ``spec`` could not be read back."""
        missing = set(self.required) - COMMON_KEYS - set(spec.identity)
        if missing:
            raise RuntimeError(f"a checkpoint of kind {self.kind} must say {', '.join(sorted(missing))}")
        architecture = spec.identity.get("architecture") or {}
        for described in [architecture] if "name" in architecture else architecture.values():
            if described["name"] not in NETWORKS:
                raise RuntimeError(f"the network {described['name']} is not in models/catalogue.py")
