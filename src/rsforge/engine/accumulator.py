"""Figures of a set of held-out samples, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess

COUNT = "count"


class Accumulator(Protocol):
    """Takes batches and gives the figures of all of them; of a set, such as recall, as well as of single samples."""

    def update(self, batch: Any, count: int) -> None:
        """Take a batch of ``count`` samples, in evaluation mode, without gradients."""
        ...

    def compute(self, world: SingleProcess) -> Mapping[str, float]:
        """The figures of what all processes took; every process calls it and gets the same."""
        ...


class MeanOverSamples:
    """The mean over samples of each figure of ``evaluate(batch)``, whose figures are means over the batch."""

    def __init__(self, evaluate: Callable[[Any], Mapping[str, Tensor]]) -> None:
        self.evaluate, self.count = evaluate, 0
        self.sums: dict[str, Tensor] = {}

    def update(self, batch: Any, count: int) -> None:
        self.count += count
        for name, value in self.evaluate(batch).items():
            part = value.detach().float().cpu().double() * count
            self.sums[name] = self.sums.get(name, torch.zeros_like(part)) + part

    def compute(self, world: SingleProcess) -> dict[str, float]:
        return self.means(world)[0]

    def means(self, world: SingleProcess) -> tuple[dict[str, float], float]:
        """The figures of what all processes took, and how many samples that was."""
        # A process without a batch has no names of its own, and takes those of the first.
        names = world.from_first(list(self.sums))
        zero = torch.zeros((), dtype=torch.float64)
        sums = {name: float(self.sums.get(name, zero)) for name in names}
        totals = world.total({**sums, COUNT: float(self.count)})
        count = totals.pop(COUNT)
        return {name: total / count for name, total in totals.items()}, count
