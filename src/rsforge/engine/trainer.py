"""The training loop. It knows steps, epochs and when to write; it knows no method."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rsforge.engine import checkpoint
from rsforge.engine.cadence import Cadences, Moment
from rsforge.engine.checkpoint_writer import CheckpointWriter
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.early_stopping import Best, Stopping, monitored_value
from rsforge.engine.journal import Journal
from rsforge.engine.listener import Listener, Pictures, no_pictures
from rsforge.engine.loader import BatchLoader, MicroBatch
from rsforge.engine.lr_schedules import Rate
from rsforge.engine.optimizers import check_optimizer
from rsforge.engine.progress import Progress, from_state
from rsforge.engine.signals import StopRequest
from rsforge.engine.step_figures import StepFigures
from rsforge.engine.task import Stateful
from rsforge.engine.train_step import TrainStep
from rsforge.engine.validation import Validation, evaluating
from rsforge.errors import RsforgeError

OWN = "own/"
STOP_CODES = {signal.SIGINT: "RSF-I130", signal.SIGTERM: "RSF-I143"}

Row = dict[str, Any]


class Trainer:
    """Runs ``loader`` through ``update`` to the goal of ``cadences`` and keeps everything that a resume needs.

    ``monitor`` names the figure that best, stopping and plateau look at: low, or after a ``-`` high, is good; they do
    so after ``comparable_after`` steps, when objective and learning rate have their final form. Under evaluation with
    averaged weights, ``preview(moment)`` is called where one is due, and ``measure()``, which fills registered parts,
    before each validation but that of the start, and after an epoch with which a preview or a kept checkpoint is due.
    ``resume_hint`` is the command shown after an interruption. Figures are read from the device ``lag`` steps late, so
    that it never waits for the host. A start that is validated counts where ``comparable_after`` is 0.
    """

    def __init__(
        self,
        update: TrainStep,
        loader: BatchLoader,
        *,
        cadences: Cadences,
        rate: Rate,
        validation: Validation,
        checkpoint_writer: CheckpointWriter,
        journal: Journal,
        best: Best | None = None,
        stopping: Stopping | None = None,
        monitor: str = "loss",
        comparable_after: int = 0,
        log_every: int = 1,
        preview: Callable[[Moment], Pictures] = no_pictures,
        measure: Callable[[], None] = lambda: None,
        listeners: tuple[Listener, ...] = (),
        resume_hint: str = "",
    ) -> None:
        self.update, self.loader, self.cadences, self.rate = update, loader, cadences, rate
        self.validation, self.checkpoint_writer, self.journal = validation, checkpoint_writer, journal
        self.best, self.stopping = best or Best(), stopping or Stopping()
        self.monitor, self.log_every = monitor, log_every
        self.comparable_after, self.preview, self.measure = comparable_after, preview, measure
        self.listeners, self.resume_hint = listeners, resume_hint
        self.task, self.world = update.task, update.world
        self.progress = Progress(
            shape=[loader.per_step, loader.steps_per_epoch],
            order=loader.order,
            closed=-1 if cadences.validate_start else 0,
        )
        self.lag = 0 if update.checks_first else 1
        self.unread: list[tuple[Row, StepFigures, float]] = []
        self.clock = time.monotonic
        self.committed_at, self.committed_step = 0.0, 0
        self.parts: dict[str, Stateful] = {
            "ema": update.average, "scaler": update.scaler, "rate": rate, "best": self.best,
            "stopping": self.stopping,
            **{f"optimizer/{name}": o for name, o in update.optimizers.items()},
        }  # fmt: skip

    def register(self, name: str, part: Stateful) -> None:
        """Save and restore ``part`` with the run."""
        self.parts[OWN + name] = part

    def run(self) -> Progress:
        """Train to the end, to a reason to stop early, or to a signal (RSF-I130, RSF-I143)."""
        for module in self.task.modules().values():
            module.train()
        self.world.same_weights(self.task.modules().values())
        if not (self.progress.step or self.progress.journal_lines):
            self.journal.open_at(0)
        self.committed_at = self.clock()
        with (
            StopRequest() as stop,
            contextlib.closing(self.loader.steps(self.progress.step, self.cadences.goal)) as steps,
        ):
            self._loop(steps, stop)
        return self.progress

    def _loop(self, steps: Iterator[list[MicroBatch]], stop: StopRequest) -> None:
        state = self.progress
        while not state.finished:
            if state.closed < state.step:
                self._close()
            elif state.step < self.cadences.goal:
                self._step(next(steps))
            else:
                break
            stopped, overdue = self.world.any(bool(stop), self._is_overdue())
            if stopped:
                self._stop_by_signal(stop.signal or signal.SIGTERM)
            if overdue:
                self._commit(lambda: self.checkpoint_writer.commit(self.state))

    def _is_overdue(self) -> bool:
        """Whether the process that writes has gone long enough without a checkpoint."""
        seconds = self.cadences.save_seconds
        return self.world.writes and seconds > 0 and self.clock() - self.committed_at >= seconds

    def _step(self, micros: list[MicroBatch]) -> None:
        state, began = self.progress, self.clock()
        lr, epoch = self.rate.at(state.step), state.step // self.loader.steps_per_epoch
        figures = self.update(micros, state.step, lr, epoch=epoch)
        state.step += 1
        row: Row = {"step": state.step, "epoch": epoch + 1, "lr": lr}
        self.unread.append((row, figures, self.clock() - began))
        self._read(self.lag)
        if not self._is_closing(state.step):
            state.closed = state.step

    def _read(self, lag: int = 0) -> None:
        """Take in the figures of all but the newest ``lag`` steps."""
        while len(self.unread) > lag:
            row, waiting, seconds = self.unread.pop(0)
            self._count(row, waiting.read())
            if row["step"] % self.log_every == 0:
                self.journal.write(row)
            for listener in self.listeners:
                listener.on_step(row, seconds)

    def _count(self, row: Row, figures: Mapping[str, float]) -> None:
        state = self.progress
        if not all(map(math.isfinite, figures.values())):
            row["skipped"] = True
            state.skipped += 1
            return
        row |= figures
        state.counted += 1
        for name, value in figures.items():
            state.sums[name] = state.sums.get(name, 0.0) + value

    def _is_closing(self, step: int) -> bool:
        """Whether anything is due after ``step``."""
        plan, per_epoch = self.cadences, self.loader.steps_per_epoch
        return step % per_epoch == 0 or step >= plan.goal or plan.recurs(step, per_epoch)

    def _close(self) -> None:
        """Do what is due after this step; all of it is a pure function of the step."""
        self._read()
        state, began = self.progress, self.clock()
        step, per_epoch, plan = state.step, self.loader.steps_per_epoch, self.cadences
        epoch_ends = step > 0 and step % per_epoch == 0
        validates = step == 0 or plan.validate.due(step, per_epoch) or step >= plan.goal
        row: Row = {}
        if epoch_ends or validates:
            row = self._figures(validates=validates)
        state.epoch += epoch_ends
        state.closed = step
        last = bool(state.finished) or step >= plan.goal
        self._show_preview(last=last)
        kept = plan.kept_moment(step, per_epoch, last=last)
        self.journal.flush()
        self._commit(lambda: self.checkpoint_writer.commit_closed(self.state, kept=kept, best=row.get("best", False)))
        if row:
            for listener in self.listeners:
                listener.on_epoch(row, self.clock() - began)

    def _figures(self, *, validates: bool) -> Row:
        """Write and return the row of means since the row before, with held-out figures where it ``validates``."""
        state = self.progress
        figures = {name: total / state.counted for name, total in state.sums.items()}
        with evaluating(self.task.modules().values(), self.update.average):
            if state.step and (validates or self.cadences.recurs(state.step, self.loader.steps_per_epoch)):
                self.measure()
            if validates:
                figures |= self.validation()
        better = validates and self._is_best(monitored_value(figures, self.monitor))
        state.sums, state.counted = {}, 0
        row: Row = {"step": state.step, "epoch": (state.step - 1) // self.loader.steps_per_epoch + 1}
        row |= {"lr": self.rate.at(max(state.step - 1, 0)), **figures, "best": better}
        self.journal.write_closed(row)
        return row

    def _is_best(self, monitored: float) -> bool:
        """Whether this is the best model so far; also what plateau and early stopping learn of it."""
        state = self.progress
        comparable = not self.comparable_after or state.step > self.comparable_after
        epoch = (state.step - 1) // self.loader.steps_per_epoch
        better = self.best.update_best(monitored, epoch, step=state.step, comparable=comparable)
        if comparable:
            self.rate.observe(monitored)
            reason = self.stopping.reason(monitored)
            state.finished = reason if state.step else ""  # nothing ends a run before its first step
        return better

    def _show_preview(self, *, last: bool) -> None:
        cadence, step, per_epoch = self.cadences.preview, self.progress.step, self.loader.steps_per_epoch
        if not (cadence.due(step, per_epoch) or (last and bool(cadence))):
            return
        with evaluating(self.task.modules().values(), self.update.average):
            pictures = self.preview(cadence.moment(step, per_epoch))
        for listener in self.listeners:
            listener.on_pictures(pictures, step)

    def _commit(self, write: Callable[[], None]) -> None:
        """Write a checkpoint that counts every step so far, all processes together."""
        self._read()
        self.journal.flush()
        write()
        self.world.barrier()
        self.committed_at, self.committed_step = self.clock(), self.progress.step

    def _stop_by_signal(self, number: int) -> None:
        self._commit(lambda: self.checkpoint_writer.commit(self.state))
        state, code = self.progress, STOP_CODES.get(signal.Signals(number), "RSF-I143")
        raise RsforgeError(
            code, f"stopped by {signal.Signals(number).name} after step {state.step} of {self.cadences.goal}",
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
        if name.startswith(OWN):
            return self.world.merge(part.state_dict())
        return part.state_dict()

    def load(self, state: Mapping[str, Any], *, where: str = "") -> int:
        """Go on from ``state``; what ended by an early stop goes on only under other rules of stopping.

        Returns how many lines of the journal were damaged or missing: it is judged here, before any step.
        RSF-C008 when another number of processes or accumulated batches would make its steps other steps.
        """
        check_shape(state["progress"]["shape"], self.progress.shape, where=where)
        for name, module in self.task.modules().items():
            checkpoint.load_weights(module, state["nets"].get(name, {}), where=where)
        for name, part in self.parts.items():
            # Empty is the state of a part that was off, such as the loss scale of another device.
            if saved := state["parts"].get(name):
                load_part(part, entries_of(self.world, saved), name=name, where=where)
        for name, optimizer in self.update.optimizers.items():
            check_optimizer(optimizer, name=name, where=where)
        self.progress = from_state(state["progress"])
        self.loader.order = self.progress.order
        if state["parts"]["stopping"]["rules"] != self.stopping.rules:
            self.progress.finished = ""
        self.committed_step = self.progress.step
        return self.journal.open_at(self.progress.journal_lines)


def load_part(part: Stateful, saved: dict[Any, Any], *, name: str, where: str) -> None:
    """Restore a part of a run; RSF-C007 where what was saved is not the state of such a part."""
    try:
        part.load_state_dict(saved)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        found = f"{type(error).__name__}: {error}"[:160]
        raise RsforgeError("RSF-C007", f"the saved {name} does not fit this run", where=where, found=found) from error


def check_shape(before: list[int], now: list[int], *, where: str) -> None:
    """RSF-C008 where batches a step, or steps an epoch, are not those of the run to resume."""
    if before != now:
        raise RsforgeError(
            "RSF-C008", "the run to resume took other steps", where=where,
            found=f"{before[0]} batches a step and {before[1]} steps an epoch then, {now[0]} and {now[1]} now",
            fix="use the --processes, --batch-size and --grad-accum of the first run",
        )  # fmt: skip


def entries_of(world: SingleProcess, state: Mapping[Any, Any]) -> dict[Any, Any]:
    """What of a saved part this process keeps: entries named by a slot that it takes, and all others."""
    return {key: value for key, value in state.items() if not isinstance(key, int) or world.takes(key)}
