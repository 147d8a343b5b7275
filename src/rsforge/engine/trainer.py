"""The training loop. It knows steps, epochs and when to write; it knows no method."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.engine.checkpoint_writer import CheckpointWriter, due
from rsforge.engine.early_stopping import Best, Stopping, monitored_value
from rsforge.engine.journal import Journal
from rsforge.engine.loader import BatchLoader, MicroBatch
from rsforge.engine.lr_schedules import Rate
from rsforge.engine.signals import StopRequest
from rsforge.engine.task import Stateful
from rsforge.engine.train_step import Update
from rsforge.engine.validation import Validation, evaluating
from rsforge.errors import RsforgeError

OWN = "own/"
STOP_CODES = {signal.SIGINT: "RSF-I130", signal.SIGTERM: "RSF-I143"}


@dataclass
class Progress:
    """How far a run is: optimizer steps, closed epochs, and the running sums of the open epoch.

    ``shape`` is what makes a step the same step: micro-batches in it, and steps in an epoch.
    """

    step: int = 0
    epoch: int = 0
    journal_lines: int = 0
    finished: str = ""
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    shape: list[int] = field(default_factory=list)


Pictures = Mapping[str, Tensor]
"""Images ``(B, C, H, W)`` in [-1, 1], by what they show."""


class Listener:
    """Hears rows as they are made, and pictures: trackers, plots, the display."""

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None: ...

    def on_pictures(self, pictures: Pictures, step: int) -> None: ...

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        """Called when the epoch's checkpoint is written."""


def no_pictures(epochs: int) -> Pictures:
    """The preview of a run that shows nothing."""
    return {}


class Trainer:
    """Runs ``epochs`` epochs of ``feed`` through ``update`` and keeps everything that a resume needs.

    ``monitor`` names the figure that best, stopping and plateau look at: low, or after a ``-`` high, is good. Under
    evaluation with averaged weights, ``preview(epochs)`` is called every ``preview_every`` epochs and at the last, and
    ``measure()`` at every close, before the commit, to fill registered parts. ``resume_hint`` is
    the command shown after an interruption.
    """

    def __init__(
        self,
        update: Update,
        feed: BatchLoader,
        *,
        epochs: int,
        rate: Rate,
        validation: Validation,
        checkpoint_writer: CheckpointWriter,
        journal: Journal,
        best: Best,
        stopping: Stopping,
        monitor: str = "loss",
        log_every: int = 1,
        preview: Callable[[int], Pictures] = no_pictures,
        preview_every: int = 0,
        measure: Callable[[], None] = lambda: None,
        listeners: tuple[Listener, ...] = (),
        resume_hint: str = "",
    ) -> None:
        self.update, self.feed, self.epochs, self.rate = update, feed, epochs, rate
        self.validation, self.checkpoint_writer, self.journal = validation, checkpoint_writer, journal
        self.best, self.stopping, self.monitor, self.log_every = best, stopping, monitor, log_every
        self.preview, self.preview_every, self.measure = preview, preview_every, measure
        self.listeners, self.resume_hint = listeners, resume_hint
        self.task, self.world = update.task, update.world
        self.progress = Progress(shape=[feed.per_step, feed.steps_per_epoch])
        self.clock = time.monotonic
        self.parts: dict[str, Stateful] = {
            "ema": update.average, "scaler": update.scaler, "rate": rate, "best": best, "stopping": stopping,
            **{f"optimizer/{name}": o for name, o in update.optimizers.items()},
        }  # fmt: skip

    def register(self, name: str, part: Stateful) -> None:
        """Save and restore ``part`` with the run."""
        self.parts[OWN + name] = part

    @property
    def goal(self) -> int:
        return self.epochs * self.feed.steps_per_epoch

    def run(self) -> Progress:
        """Train to the end, to a reason to stop early, or to a signal (RSF-I130, RSF-I143)."""
        for module in self.task.modules().values():
            module.train()
        self.world.same_weights(self.task.modules().values())
        if not self.progress.step:
            self.journal.open_at(0)
        with (
            StopRequest() as stop,
            contextlib.closing(self.feed.steps(self.progress.step, self.goal)) as steps,
        ):
            self._loop(steps, stop)
        return self.progress

    def _loop(self, steps: Iterator[list[MicroBatch]], stop: StopRequest) -> None:
        state, per_epoch = self.progress, self.feed.steps_per_epoch
        self.task.open_epoch(state.epoch)
        while not state.finished:
            if state.step == (state.epoch + 1) * per_epoch:
                self._close_epoch()
            elif state.step < self.goal:
                self._step(next(steps))
            elif state.epoch < self.epochs:
                raise RuntimeError(f"step {state.step} is past the goal and epoch {state.epoch} is open")
            if state.step >= self.goal and state.epoch >= self.epochs:
                break
            if self.world.any(bool(stop)):
                self._interrupted(stop.signal or signal.SIGTERM)

    def _step(self, micros: list[MicroBatch]) -> None:
        state, began = self.progress, self.clock()
        lr = self.rate.at(state.step)
        figures = self.update(micros, state.step, lr)
        state.step += 1
        row: dict[str, Any] = {"step": state.step, "epoch": state.epoch + 1, "lr": lr}
        if all(map(math.isfinite, figures.values())):
            row |= figures
            state.counted += 1
            for name, value in figures.items():
                state.sums[name] = state.sums.get(name, 0.0) + value
        else:
            row["skipped"] = True
        if due(self.log_every, state.step):
            self.journal.write(row)
        for listener in self.listeners:
            listener.on_step(row, self.clock() - began)

    def _close_epoch(self) -> None:
        state, began = self.progress, self.clock()
        means = {name: total / state.counted for name, total in state.sums.items()}
        with evaluating(self.task.modules().values(), self.update.average):
            figures = {**means, **self.validation()}
            self.measure()
        monitored = monitored_value(figures, self.monitor)
        better = self.best.improved(monitored, state.epoch)
        self.rate.observe(monitored)
        state.finished, state.epoch = self.stopping.reason(monitored), state.epoch + 1
        state.sums, state.counted = {}, 0
        row = {
            "step": state.step,
            "epoch": state.epoch,
            "lr": self.rate.at(state.step - 1),
            **figures,
            "best": better,
        }
        self._write_epoch(row, better)
        for listener in self.listeners:
            listener.on_epoch(row, self.clock() - began)
        self.task.open_epoch(state.epoch)

    def _write_epoch(self, row: dict[str, Any], better: bool) -> None:
        self.journal.write({**row, "closed": True})
        last = bool(self.progress.finished) or self.progress.epoch >= self.epochs
        if due(self.preview_every, self.progress.epoch) or (last and self.preview_every):
            with evaluating(self.task.modules().values(), self.update.average):
                pictures = self.preview(self.progress.epoch)
            for listener in self.listeners:
                listener.on_pictures(pictures, self.progress.step)
        self.journal.flush()
        self.checkpoint_writer.commit_epoch(self.state, epochs=self.progress.epoch, best=better, last=last)
        self.world.barrier()

    def _interrupted(self, number: int) -> None:
        self.journal.flush()
        self.checkpoint_writer.commit(self.state)
        self.world.barrier()
        state, code = self.progress, STOP_CODES.get(signal.Signals(number), "RSF-I143")
        raise RsforgeError(
            code, f"stopped by {signal.Signals(number).name} after step {state.step} of {self.goal}",
            kept=f"a checkpoint of step {state.step}", fix=self.resume_hint,
        )  # fmt: skip

    def state(self) -> dict[str, Any]:
        """Everything that a run interrupted here needs in order to go on as if it had not been."""
        self.progress.journal_lines = self.journal.lines
        return {
            "progress": asdict(self.progress),
            "nets": {name: m.state_dict() for name, m in self.task.modules().items()},
            "parts": {name: self._state_of(name, part) for name, part in self.parts.items()},
        }

    def _state_of(self, name: str, part: Stateful) -> dict[str, Any]:
        own = name.startswith(OWN)
        return self.world.merged(part.state_dict()) if own else part.state_dict()

    def _own(self, state: Mapping[Any, Any]) -> dict[Any, Any]:
        return {k: v for k, v in state.items() if not isinstance(k, int) or self.world.takes(k)}

    def load(self, state: Mapping[str, Any], *, where: str = "") -> None:
        """Go on from ``state``; what ended by an early stop goes on only under other rules of stopping.

        RSF-C008 when another number of processes or accumulated batches would make its steps other steps.
        """
        if state["progress"]["shape"] != self.progress.shape:
            before, now = state["progress"]["shape"], self.progress.shape
            raise RsforgeError(
                "RSF-C008", "the run to resume took other steps", where=where,
                found=f"{before[0]} batches a step and {before[1]} steps an epoch then, {now[0]} and {now[1]} now",
                fix="use the --processes, --batch-size and --grad-accum of the first run",
            )  # fmt: skip
        for name, module in self.task.modules().items():
            checkpoint.load_weights(module, state["nets"].get(name, {}), where=where)
        for name, part in self.parts.items():
            # Empty is the state of a part that was off, such as the loss scale of another device.
            if state["parts"][name]:
                part.load_state_dict(self._own(state["parts"][name]))
        self.progress = Progress(**state["progress"])
        if state["parts"]["stopping"]["rules"] != self.stopping.rules:
            self.progress.finished = ""
        self.journal.open_at(self.progress.journal_lines)
