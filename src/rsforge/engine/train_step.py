"""One optimizer step: turns, autocast, accumulation, clipping, and what to do when a figure is not finite."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import Ema
from rsforge.engine.loader import MicroBatch, to_device
from rsforge.engine.precision import Precision
from rsforge.engine.task import Task, Turn
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

Stories = Sequence[tuple[MicroBatch, Generator[Turn]]]
MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
SMALLEST_SCALE = 1.0


@contextlib.contextmanager
def only_trainable(chosen: Sequence[nn.Parameter], everything: Sequence[nn.Parameter]) -> Iterator[None]:
    """Gradients for ``chosen`` and for nothing else."""
    picked = {id(p) for p in chosen}
    for p in everything:
        p.requires_grad_(id(p) in picked)
    try:
        yield
    finally:
        for p in everything:
            p.requires_grad_(True)


class Update:
    """Takes one optimizer step per group over a list of micro-batches.

    Random state is a function of (seed, step, place of the micro-batch, turn), so that neither interruption, nor
    validation, nor the number of processes that share the micro-batches can move a trajectory. ``max_norm`` 0
    clips nothing. ``lr_scale`` multiply the learning rate of the groups they name. ``skip_nonfinite`` leaves a poisoned
    step out instead of stopping, ``patience`` times in a row.
    """

    def __init__(
        self,
        task: Task,
        *,
        make_optimizer: MakeOptimizer,
        lr_scale: Mapping[str, float] | None = None,
        average: Ema,
        device: torch.device,
        precision: Precision | None = None,
        world: SingleProcess | None = None,
        max_norm: float = 0.0,
        seed: int = 0,
        skip_nonfinite: bool = False,
        patience: int = 50,
    ) -> None:
        self.task, self.average, self.device = task, average, device
        self.precision, self.world = precision or Precision(), world or SingleProcess()
        self.max_norm, self.seed, self.lr_scale = max_norm, seed, lr_scale or {}
        self.skip_nonfinite, self.patience, self.skipped = skip_nonfinite, patience, 0
        self.groups = {name: list(parameters) for name, parameters in task.groups().items()}
        self.everything = [p for parameters in self.groups.values() for p in parameters]
        self.optimizers = {name: make_optimizer(parameters) for name, parameters in self.groups.items()}
        self.scaler = self.precision.scaler(device)

    def __call__(self, micros: Sequence[MicroBatch], step: int, lr: float) -> dict[str, float]:
        """Move every group once and return the step's figures, averaged over its samples on all processes."""
        stories = [(micro, self.task.step(to_device(micro.batch, self.device), micro.slot)) for micro in micros]
        report: dict[str, Tensor] = {}
        scale, statistics = self.scaler.get_scale(), self._statistics()
        taken = [self._turn(turn, stories, step, lr, report) for turn in range(len(self.optimizers))]
        self.scaler.update()
        self._finish(stories)
        healthy = all(taken) and self.scaler.get_scale() >= scale
        if healthy:
            self.average.update()
        if not all(taken):
            for buffer, before in statistics:
                buffer.copy_(before)
        self.skipped = 0 if healthy else self.skipped + 1
        self.world.average_buffers(self.task.modules().values())
        return self._figures(report)

    def _statistics(self) -> list[tuple[Tensor, Tensor]]:
        """Running statistics as they are, where a skipped step will have to give them back."""
        modules = self.task.modules().values() if self.skip_nonfinite else ()
        return [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]

    def _turn(self, turn: int, stories: Stories, step: int, lr: float, report: dict[str, Tensor]) -> bool:
        name, optimizer = list(self.optimizers.items())[turn]
        parameters = self.groups[name]
        for group in optimizer.param_groups:
            group["lr"] = lr * self.lr_scale.get(name, 1.0)
        optimizer.zero_grad(set_to_none=True)
        finite = torch.ones((), dtype=torch.bool, device=self.device)  # of the losses
        with only_trainable(parameters, self.everything):
            for micro, story in stories:
                torch.manual_seed(derive(self.seed, "step", step, micro.slot, turn))
                with self.precision.autocast(self.device):
                    taken = _take(story, name)
                self.scaler.scale(taken.loss * micro.weight).backward()
                finite &= taken.loss.detach().isfinite()
                self._report(report, taken, micro.weight)
        self.world.sum_gradients(parameters)
        self.scaler.unscale_(optimizer)
        norm = self._clip(parameters)
        # The loss scale forgives gradients that overflow, up to its own collapse.
        if not self._sound(finite & (norm.isfinite() | self.scaler.is_enabled()), stories, step):
            return False
        self.scaler.step(optimizer)
        return True

    def _clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.max_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.max_norm, norm)
        return norm.to(self.device)

    def _sound(self, finite: Tensor, stories: Stories, step: int) -> bool:
        """Whether to take the step; RSF-T001 names the samples of a loss that is not finite, unless it is skipped."""
        names = [name for micro, _ in stories for name in micro.names]
        if self.scaler.is_enabled() and self.scaler.get_scale() < SMALLEST_SCALE:
            raise RsforgeError("RSF-T002", f"the gradient scale collapsed at step {step}", where=", ".join(names[:8]))
        if not self.world.any(not bool(finite)):
            return True
        if self.skip_nonfinite and self.skipped < self.patience:
            return False
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        raise RsforgeError("RSF-T001", f"the loss or its gradient is not finite at step {step}", where=shown)

    def _finish(self, stories: Stories) -> None:
        with torch.no_grad():
            for _, story in stories:
                if next(story, None) is not None:
                    raise RuntimeError("the task took one turn too many")

    def _report(self, report: dict[str, Tensor], turn: Turn, weight: float) -> None:
        for key, value in {"loss": turn.loss, **turn.report}.items():
            report[key] = report.get(key, torch.zeros_like(value.detach())) + value.detach() * weight

    def _figures(self, report: dict[str, Tensor]) -> dict[str, float]:
        # A process without a share of this step still takes part in the sum, under the first one's names.
        names = self.world.from_first(list(report))
        zero = torch.zeros((), device=self.device)
        values = torch.stack([report.get(name, zero).float() for name in names]).tolist()
        return self.world.total(dict(zip(names, values, strict=True)))


def _take(story: Generator[Turn], name: str) -> Turn:
    turn = next(story, None)
    if turn is None or turn.group != name:
        got = "no turn" if turn is None else f"the turn of {turn.group!r}"
        raise RuntimeError(f"expected the turn of {name!r}, got {got}")
    return turn
