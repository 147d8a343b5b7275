"""Figures on held-out samples, without moving anything: own random state, fixed order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import nn

from rsforge.engine.accumulator import Accumulator
from rsforge.engine.devices import seed_draws
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import Ema
from rsforge.engine.loader import BatchLoader, to_device
from rsforge.seeds import derive


@contextlib.contextmanager
def evaluating(modules: Iterable[nn.Module], average: Ema) -> Iterator[None]:
    """Averaged weights, evaluation mode, no gradients, and the trainer's random state untouched."""
    modules = list(modules)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.no_grad(), average.averaged_weights():
        for module in modules:
            module.eval()
        try:
            yield
        finally:
            for module in modules:
                module.train()


class Validated(Protocol):
    """What has figures of held-out samples, as a task has."""

    def validation(self) -> Accumulator: ...


class Validation:
    """Figures of ``task.validation()`` over a loader that never shuffles; its noise is the same every time."""

    def __init__(
        self,
        task: Validated,
        loader: BatchLoader,
        *,
        device: torch.device,
        seed: int = 0,
        world: SingleProcess | None = None,
    ) -> None:
        self.task, self.loader, self.device = task, loader, device
        self.seed, self.world = seed, world or SingleProcess()

    def __call__(self, prefix: str = "val/") -> dict[str, float]:
        """Each figure of the set, its name led by ``prefix``."""
        accumulator = self.task.validation()
        with contextlib.closing(self.loader.steps(0, self.loader.steps_per_epoch)) as steps:
            for step, micros in enumerate(steps):
                for micro in micros:
                    seed_draws(derive(self.seed, "validation", step, micro.slot), self.device)
                    accumulator.update(to_device(micro.batch, self.device), len(micro.names))
        return {f"{prefix}{name}": value for name, value in accumulator.compute(self.world).items()}


class NoValidation(Validation):
    """Nothing is held out: training figures must do."""

    def __init__(self) -> None: ...

    def __call__(self, prefix: str = "val/") -> dict[str, float]:
        return {}
