"""How well a denoiser does on held-out latents, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess


class DenoisingFigures:
    """Means over held-out latents of the figures of ``evaluate(batch)``, with the standard error of ``loss``.

    Where a batch tells a ``loss_variance``, that of one latent's mean loss over its draws, the set tells ``loss_se``:
    the error that other timesteps and noises would make on the same latents. From epoch to epoch they are the same, so
    that two epochs are compared with less than that.
    """

    def __init__(self, evaluate: Callable[[Any], Mapping[str, Tensor]]) -> None:
        self.evaluate, self.count = evaluate, 0
        self.sums: dict[str, Tensor] = {}

    def update(self, batch: Any, count: int) -> None:
        """Take a batch of ``count`` latents."""
        self.count += count
        for name, value in self.evaluate(batch).items():
            part = value.detach().float().cpu().double() * count
            self.sums[name] = self.sums.get(name, torch.zeros_like(part)) + part

    def compute(self, world: SingleProcess) -> dict[str, float]:
        """The figures of what all processes took."""
        names = world.from_first(list(self.sums))
        zero = torch.zeros((), dtype=torch.float64)
        totals = world.total({name: float(self.sums.get(name, zero)) for name in names} | {"count": float(self.count)})
        count = totals.pop("count")
        figures = {name: total / count for name, total in totals.items()}
        if "loss_variance" in figures:
            figures["loss_se"] = math.sqrt(figures.pop("loss_variance") / count)
        return figures


def draws_per_latent(held_out: int, trained: int) -> int:
    """An even number from 4 to 256 that makes as many noisy latents of all as training makes in an epoch, or 512.

    So a validation costs a third of an epoch, whose latents are also gone back through, where the sets are not small.
    """
    pairs = math.ceil(max(trained, 512) / 2 / max(1, held_out))
    return min(256, max(4, 2 * pairs))
