"""Figures on held-out samples, without moving anything: own random state, fixed order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import Ema
from rsforge.engine.loader import BatchLoader, to_device
from rsforge.engine.task import Task
from rsforge.seeds import derive


@contextlib.contextmanager
def evaluating(modules: Iterable[nn.Module], average: Ema) -> Iterator[None]:
    """Averaged weights, evaluation mode, no gradients, and the trainer's random state untouched."""
    modules = list(modules)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.no_grad(), average.applied():
        for module in modules:
            module.eval()
        try:
            yield
        finally:
            for module in modules:
                module.train()


class Validation:
    """Means of ``task.evaluate`` over a feed that never shuffles; noise and timesteps are the same every time."""

    def __init__(
        self, task: Task, feed: BatchLoader, *, device: torch.device, seed: int = 0, world: SingleProcess | None = None
    ) -> None:
        self.task, self.feed, self.device = task, feed, device
        self.seed, self.world = seed, world or SingleProcess()

    def __call__(self, prefix: str = "val/") -> dict[str, float]:
        """Each figure's mean over the samples, its name led by ``prefix``."""
        sums: dict[str, Tensor] = {}
        for step, micros in enumerate(self.feed.steps(0, self.feed.steps_per_epoch)):
            for micro in micros:
                torch.manual_seed(derive(self.seed, "validation", step, micro.slot))
                for name, value in self.task.evaluate(to_device(micro.batch, self.device)).items():
                    part = value.detach().float().cpu().double() * len(micro.names)
                    sums[name] = sums.get(name, torch.zeros_like(part)) + part
        names = self.world.from_first(list(sums))
        zero = torch.zeros((), dtype=torch.float64)
        totals = self.world.total({n: float(sums.get(n, zero)) for n in names})
        return {f"{prefix}{n}": v / len(self.feed.samples) for n, v in totals.items()}


class NoValidation(Validation):
    """Nothing is held out: training figures must do."""

    def __init__(self) -> None: ...

    def __call__(self, prefix: str = "val/") -> dict[str, float]:
        return {}
