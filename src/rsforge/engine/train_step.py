"""One optimizer step: turns, autocast, accumulation, clipping, and what to do when a figure is not finite."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from rsforge.engine.counted_share import CountedShare
from rsforge.engine.devices import seed_draws
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import Ema
from rsforge.engine.loader import MicroBatch, to_device
from rsforge.engine.optimizers import divide_groups
from rsforge.engine.precision import Precision
from rsforge.engine.step_figures import StepFigures, not_finite
from rsforge.engine.task import StepContext, Task, Turn
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

Running = Sequence[tuple[MicroBatch, Generator[Turn]]]
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


class TrainStep:
    """Takes one optimizer step per group over a list of micro-batches.

    Random state is a function of (seed, step, slot of the micro-batch, turn), so that neither interruption, nor
    validation, nor the number of processes that share the micro-batches can move a trajectory. ``max_norm`` 0
    clips nothing. ``lr_scale`` multiplies the learning rate of the groups it names, ``lr_factors`` that of the modules
    within them. ``skip_nonfinite`` leaves a poisoned step out instead of stopping, ``patience`` times in a row.
    """

    def __init__(
        self,
        task: Task,
        *,
        make_optimizer: MakeOptimizer,
        lr_scale: Mapping[str, float] | None = None,
        lr_factors: Mapping[str, float] | None = None,
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
        # On a device with a queue of its own, a look at the loss before the optimizer moves would wait for all of it.
        self.checks_first = skip_nonfinite or device.type == "cpu"
        self.groups = {name: list(parameters) for name, parameters in task.groups().items()}
        self.everything = [p for parameters in self.groups.values() for p in parameters]
        self.optimizers = {name: make_optimizer(parameters) for name, parameters in self.groups.items()}
        factors = {p: factor for name, factor in (lr_factors or {}).items() for p in task.modules()[name].parameters()}
        self.factors = {name: divide_groups(optimizer, factors) for name, optimizer in self.optimizers.items()}
        self.scaler = self.precision.scaler(device)
        self.names: list[str] = []

    def __call__(self, micros: Sequence[MicroBatch], step: int, lr: float, *, epoch: int = 0) -> StepFigures:
        """Move every group once and return the step's figures, averaged over its samples on all processes."""
        running = [(micro, self._begin(micro, step, epoch)) for micro in micros]
        report: dict[str, Tensor] = {}
        scale, statistics = self.scaler.get_scale(), self._statistics()
        failures = torch.zeros((), device=self.device)
        taken = [self._turn(turn, running, step, lr, report, failures) for turn in range(len(self.optimizers))]
        self.scaler.update()
        self._finish(running)
        healthy = all(taken) and self.scaler.get_scale() >= scale
        if healthy:
            self.average.update()
        if not all(taken):
            for buffer, before in statistics:
                buffer.copy_(before)
        self.skipped = 0 if healthy else self.skipped + 1
        self.world.average_buffers(self.task.modules().values())
        if self.checks_first:
            failures.zero_()  # what was looked at already
        return self._figures(report, failures, step, _samples(running))

    def _begin(self, micro: MicroBatch, step: int, epoch: int) -> Generator[Turn]:
        context = StepContext(micro.slot, step, epoch, self.world)
        return self.task.step(to_device(micro.batch, self.device), context)

    def _statistics(self) -> list[tuple[Tensor, Tensor]]:
        """Running statistics as they are, where a skipped step will have to give them back."""
        modules = self.task.modules().values() if self.skip_nonfinite else ()
        return [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]

    def _turn(
        self, turn: int, running: Running, step: int, lr: float, report: dict[str, Tensor], failures: Tensor
    ) -> bool:
        name, optimizer = list(self.optimizers.items())[turn]
        parameters = self.groups[name]
        for group, factor in zip(optimizer.param_groups, self.factors[name], strict=True):
            group["lr"] = lr * self.lr_scale.get(name, 1.0) * factor
        optimizer.zero_grad(set_to_none=True)
        finite = torch.ones((), dtype=torch.bool, device=self.device)  # of the losses
        share, figures = CountedShare(self.device, self.world), dict[str, Tensor]()
        with only_trainable(parameters, self.everything):
            for micro, turns in running:
                seed_draws(derive(self.seed, "step", step, micro.slot, turn), self.device)
                with self.precision.autocast(self.device):
                    taken = _take(turns, name)
                weight = share.add(micro.weight, taken.counted)
                self.scaler.scale(taken.loss * weight).backward()
                finite &= taken.loss.detach().isfinite()
                _add(figures, {"loss": taken.loss, **taken.report}, weight)
        self.world.sum_gradients(parameters)
        share.divide([*figures.values(), *(p.grad for p in parameters if p.grad is not None)])
        _add(report, figures)
        self.scaler.unscale_(optimizer)
        norm = self._clip(parameters)
        # The loss scale forgives gradients that overflow, up to its own collapse.
        sound = finite & (norm.isfinite() | self.scaler.is_enabled())
        failures += ~sound
        if not self._may_move(sound, running, step):
            return False
        self.scaler.step(optimizer)
        return True

    def _clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if self.max_norm:
            nn.utils.clip_grads_with_norm_(parameters, self.max_norm, norm)
        return norm.to(self.device)

    def _may_move(self, sound: Tensor, running: Running, step: int) -> bool:
        """Whether to take the step; RSF-T001 for a loss that is not finite, unless it is skipped.

        Without ``checks_first`` the step is taken, and the error comes with its figures: nothing was saved since.
        """
        if self.scaler.is_enabled() and self.scaler.get_scale() < SMALLEST_SCALE:
            where = ", ".join(_samples(running)[:8])
            raise RsforgeError("RSF-T002", f"the gradient scale collapsed at step {step}", where=where)
        if not self.checks_first:
            return True
        [failed] = self.world.any(not bool(sound))
        if failed and not (self.skip_nonfinite and self.skipped < self.patience):
            raise not_finite(step, _samples(running))
        return not failed

    def _finish(self, running: Running) -> None:
        with torch.no_grad():
            for _, turns in running:
                if next(turns, None) is not None:
                    raise RuntimeError("the task took one turn too many")

    def _figures(self, report: dict[str, Tensor], failures: Tensor, step: int, samples: list[str]) -> StepFigures:
        # A process without a share of this step still takes part in the sum, under the first one's names: they are
        # agreed on once, since a task reports the same figures in every step.
        self.names = self.names or self.world.from_first(list(report))
        if report and list(report) != self.names:
            raise RuntimeError(f"the task reported {', '.join(self.names)} before, and now {', '.join(report)}")
        zero = torch.zeros((), device=self.device)
        values = torch.stack([failures, *(report.get(name, zero).float() for name in self.names)])
        return StepFigures(self.world.sum(values), self.names, step=step, samples=samples)


def _add(sums: dict[str, Tensor], values: Mapping[str, Tensor], weight: float | Tensor = 1.0) -> None:
    for name, value in values.items():
        sums[name] = sums.get(name, torch.zeros_like(value.detach())) + value.detach() * weight


def _samples(running: Running) -> list[str]:
    return [name for micro, _ in running for name in micro.names]


def _take(turns: Generator[Turn], name: str) -> Turn:
    turn = next(turns, None)
    if turn is None or turn.group != name:
        got = "no turn" if turn is None else f"the turn of {turn.group!r}"
        raise RuntimeError(f"expected the turn of {name!r}, got {got}")
    return turn
