"""The mean over what counts in all micro-batches of a step, from the mean over what counts in each."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess


class CountedShare:
    """The share of a step that counts, over the micro-batches of all processes.

    A mean over the valid pixels of each micro-batch, averaged, would let a pixel count the more the fewer there are
    beside it. Here each micro-batch weighs by what counts of it, and the sum is divided by the whole.
    """

    def __init__(self, device: torch.device, world: SingleProcess) -> None:
        self.device, self.world = device, world
        self.counted: float | Tensor = 0.0
        self.whole, self.everything = 0.0, True

    def add(self, weight: float, counted: Tensor | None) -> float | Tensor:
        """What the loss of a micro-batch is to be multiplied by; ``weight`` is its share of the step's samples."""
        part = weight if counted is None else weight * counted.detach()
        self.counted, self.whole = self.counted + part, self.whole + weight
        self.everything = self.everything and counted is None
        return part

    def divide(self, sums: list[Tensor]) -> None:
        """Divide in place what was summed with these weights; all processes must call it, with any number of sums."""
        if self.everything and self.world.size == 1:
            return  # several processes do not know of each other whether everything counts
        parts = [torch.as_tensor(part, dtype=torch.float32, device=self.device) for part in (self.counted, self.whole)]
        counted, whole = self.world.sum(torch.stack(parts))
        share = torch.where(counted > 0, counted / whole, 1.0).float()
        torch._foreach_div_(sums, share)
