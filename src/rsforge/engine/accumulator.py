"""Figures of a set of held-out samples, gathered batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess

COUNT = "count"
COUNTED = "counted"
"""The name of what is no figure of a batch, but the share of it, 0 to 1, that its figures are means over."""


class Accumulator(Protocol):
    """Takes batches and gives the figures of all of them; of a set, such as recall, as well as of single samples."""

    def update(self, batch: Any, count: int) -> None:
        """Take a batch of ``count`` samples, in evaluation mode, without gradients."""
        ...

    def compute(self, world: SingleProcess) -> Mapping[str, float]:
        """The figures of what all processes took; every process calls it and gets the same."""
        ...


class MeanOverSamples:
    """The mean over samples of each figure of ``evaluate(batch)``, whose figures are means over the batch.

    Where they are means over a share of the batch, that share is among them as ``COUNTED``, and is what it weighs.
    """

    def __init__(self, evaluate: Callable[[Any], Mapping[str, Tensor]]) -> None:
        self.evaluate, self.count = evaluate, 0.0
        self.sums: dict[str, Tensor] = {}

    def update(self, batch: Any, count: int) -> None:
        figures = dict(self.evaluate(batch))
        counted = figures.pop(COUNTED, None)
        weight = float(count) if counted is None else count * float(counted)
        self.count += weight
        for name, value in figures.items():
            known = value.detach().float().cpu().double()
            part = known * weight if weight else torch.zeros_like(known)  # the mean over nothing is no number
            self.sums[name] = self.sums.get(name, torch.zeros_like(part)) + part

    def compute(self, world: SingleProcess) -> dict[str, float]:
        return self.means(world)[0]

    def means(self, world: SingleProcess) -> tuple[dict[str, float], float]:
        """The figures of what all processes took, and how many samples that was."""
        # A process without a batch has no names of its own, and takes those of the first.
        names = world.from_first(list(self.sums))
        zero = torch.zeros((), dtype=torch.float64)
        sums = {name: float(self.sums.get(name, zero)) for name in names}
        totals = world.total({**sums, COUNT: self.count})
        count = totals.pop(COUNT)
        return {name: total / count if count else math.nan for name, total in totals.items()}, count
