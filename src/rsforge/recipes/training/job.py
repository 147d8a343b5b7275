"""What a method brings to its training, and where it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader import IndexedDataset
from rsforge.engine.task import Task
from rsforge.engine.trainer import Pictures, no_pictures
from rsforge.recipes.training.output_names import OutputLayout
from rsforge.settings.base import AverageSettings, LoopSettings, OptimSettings, RunSettings, StoppingSettings


class TrainSettings(Protocol):
    """The sections that every training command has."""

    @property
    def run(self) -> RunSettings: ...
    @property
    def loop(self) -> LoopSettings: ...
    @property
    def optim(self) -> OptimSettings: ...
    @property
    def average(self) -> AverageSettings: ...
    @property
    def stopping(self) -> StoppingSettings: ...


@dataclass(frozen=True)
class Compute:
    """Where a run computes."""

    device: torch.device
    world: SingleProcess


@dataclass(frozen=True)
class TrainingSpec:
    """What a method brings to its training: task, images, names, and the figure to judge by.

    ``remembered`` is how many bytes its own parts grow to for each place of a step; ``tracked`` renames figures of
    epochs for trackers, ``config`` is what they know of the run beside its settings; ``plot`` draws the loss curves
    when the training ends, however it does.
    """

    task: Task
    train: IndexedDataset
    held_out: IndexedDataset
    layout: OutputLayout
    identity: Mapping[str, Any]
    monitor: str
    final_from: int = 0
    preview: Callable[[int], Pictures] = no_pictures
    lr_scale: Mapping[str, float] = field(default_factory=dict)
    measure: Callable[[], None] = lambda: None
    own_parts: Mapping[str, Any] | None = None
    tracked: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    plot: Callable[[], None] = lambda: None

    remembered: int = 0

    @property
    def judged_by(self) -> str:
        """The figure that best, stopping and plateau look at: one of the training when nothing is held out."""
        held_out = self.monitor.startswith(("val/", "-val/"))
        return self.monitor if len(self.held_out) or not held_out else "loss"
