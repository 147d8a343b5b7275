"""What a method brings to its training, and where it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from pydantic import BaseModel
from torch import nn

from rsforge.engine.cadence import Moment
from rsforge.engine.checkpoint_writer import nothing
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.listener import Pictures, no_pictures
from rsforge.engine.loader import IndexedDataset
from rsforge.engine.task import Task
from rsforge.engine.trainer import OWN
from rsforge.settings.base import AverageSettings, LoopSettings, OptimSettings, RunSettings, StoppingSettings


class DataSettings(Protocol):
    """The section that names a data set."""

    @property
    def data_dir(self) -> str: ...


class TrainSettings(Protocol):
    """The sections that every training command has."""

    @property
    def run(self) -> RunSettings: ...
    @property
    def data(self) -> DataSettings: ...
    @property
    def loop(self) -> LoopSettings: ...
    @property
    def optim(self) -> OptimSettings: ...
    @property
    def average(self) -> AverageSettings: ...
    @property
    def stopping(self) -> StoppingSettings: ...


def as_model(settings: TrainSettings) -> BaseModel:
    """The settings as the pydantic model that they are: a protocol cannot say so."""
    assert isinstance(settings, BaseModel)
    return settings


@dataclass(frozen=True)
class Compute:
    """Where a run computes."""

    device: torch.device
    world: SingleProcess


@dataclass(frozen=True)
class Partner:
    """Another model that a method builds on: its checkpoint, and the digest of the weights in use."""

    path: Path
    digest: str


@dataclass(frozen=True)
class TrainingSpec:
    """What a method brings to its training: task, samples, what its checkpoints say, and the figure to judge by.

    Figures can be compared after ``objective_warmup`` epochs, when the objective has its final form. The networks begin
    as what was fitted to the training samples where there is a ``fitted_start``, which may be the best. ``even`` is for
    tasks that gather from all processes. ``frozen`` are networks that the task uses and does not train, ``partners``
    the checkpoints they come from, by role. ``lr_scale`` multiplies the learning rate of groups of the task,
    ``lr_factors`` that of modules within them. ``parts`` are saved with the run, and ``remembered`` is how many bytes
    they grow to for each slot of a step; entries that a part names as ``nonfinite`` may be infinite or undefined.
    ``tracked`` renames figures for trackers, ``config`` is what they know of the run beside its settings; ``marks`` are
    levels in the loss plot, by the title of the panel. ``baselines`` fits what predictors without a network know of the
    training samples, for checkpoints to hold; ``fitted_bytes`` is their size. ``accompany`` writes what is to lie
    beside periodic checkpoints and is not there yet, and removes what lies beside none.
    """

    task: Task
    train: IndexedDataset
    held_out: IndexedDataset
    identity: Mapping[str, Any]
    monitor: str
    objective_warmup: int = 0
    fitted_start: bool = False
    preview: Callable[[Moment], Pictures] = no_pictures
    measure: Callable[[], None] = lambda: None
    lr_scale: Mapping[str, float] = field(default_factory=dict)
    lr_factors: Mapping[str, float] = field(default_factory=dict)
    even: bool = False
    frozen: Mapping[str, nn.Module] = field(default_factory=dict)
    partners: Mapping[str, Partner] = field(default_factory=dict)
    parts: Mapping[str, Any] = field(default_factory=dict)
    remembered: int = 0
    tracked: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, float] = field(default_factory=dict)
    baselines: Callable[[], dict[str, Any]] = dict
    fitted_bytes: int = 0
    accompany: Callable[[], None] = nothing

    @property
    def monitored(self) -> str:
        """The figure that best, stopping and plateau look at: one of the training when nothing is held out."""
        held_out = self.monitor.startswith(("val/", "-val/"))
        return self.monitor if len(self.held_out) or not held_out else "loss"

    @property
    def nonfinite(self) -> list[str]:
        """Places in a checkpoint that may be infinite or undefined; of everything else that would be an error."""
        named = {name: getattr(part, "nonfinite", ()) for name, part in self.parts.items()}
        return [f"/parts/{OWN}{name}/{entry}" for name, entries in named.items() for entry in entries]
