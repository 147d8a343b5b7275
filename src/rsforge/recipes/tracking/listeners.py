"""Listeners of a run: the display, TensorBoard, the clock; and a wrapper that keeps their failures from the run."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.io.image_writer import to_uint8
from rsforge.engine.listener import Listener, Pictures
from rsforge.recipes.console import Console, Meter

STEPS, EPOCHS = "Batch", "Epoch"
PLACE = ("step", "epoch", "best")  # where a row stands; the rest of it are figures


class Display(Listener):
    """Feeds a progress with the newest loss, and the figure of the last epoch: ``val`` where it is a held-out one.

    Its standard error follows where the method measures one; a star marks the best so far.
    """

    def __init__(self, meter: Meter, *, epochs: int, monitor: str) -> None:
        self.meter, self.epochs, self.monitor = meter, epochs, monitor.removeprefix("-")
        self.label = "val" if self.monitor.startswith("val/") else "mean"

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        self.meter.step(epoch=f"{row['epoch']}/{self.epochs}", loss=row.get("loss", "skipped"), lr=row["lr"])

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        shown: dict[str, str] = {}
        if self.monitor in row:
            error = row.get(f"{self.monitor}_se")
            spread = "" if error is None else f"±{error:.1g}"
            shown[self.label] = f"{row[self.monitor]:.4g}{spread}{'*' if row['best'] else ''}"
        self.meter.step(0, **shown)  # in any case: the time that an epoch's end takes is not that of a step


class Tracker(Listener):
    """A listener that keeps a record of its own, and receives the exit code at the end."""

    def close(self, code: int) -> None: ...


class Clock(Tracker):
    """timing.jsonl: how long each epoch took; apart from the journal, which repeats to the byte."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds, self.steps = path, 0.0, 0

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        self.seconds, self.steps = self.seconds + seconds, self.steps + 1

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        line = {"epoch": row["epoch"], "training_s": round(self.seconds, 3), "closing_s": round(seconds, 3)}
        rate = {"steps_per_s": round(self.steps / max(self.seconds, 1e-9), 3)}
        durable.append_text(self.path, json.dumps(line | rate) + "\n")
        self.seconds, self.steps = 0.0, 0


def figures(row: Mapping[str, Any], group: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The figures of a row as ``group/name``, under other ``names`` where there are any."""
    return {f"{group}/{names.get(name, name)}": value for name, value in row.items() if name not in PLACE}


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    """Python's own report, but none of a TensorBoard thread: what it met is raised again by the next write."""
    if type(failure.thread).__name__ != "_AsyncWriterThread":
        threading.__excepthook__(failure)


class TensorBoard(Tracker):
    """Scalars of every logged step and epoch, and pictures of a run that goes on after ``step``; None is a fresh one.

    What stood in ``folder`` of later steps is hidden.
    """

    def __init__(self, folder: Path, *, step: int | None, log_every: int, names: Mapping[str, str]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        threading.excepthook = _report_thread
        self.writer: Any = SummaryWriter(log_dir=str(folder), purge_step=0 if step is None else step + 1)
        self.step, self.log_every, self.names = step or 0, log_every, names

    def describe_run(self, settings: Mapping[str, Any], monitor: str) -> None:
        """Write the settings by name: as hyperparameters beside the epochs' figure ``monitor``, and as a table."""
        from torch.utils.tensorboard.summary import hparams

        figure = f"{EPOCHS}/{self.names.get(monitor, monitor)}"
        plain = {k: v if isinstance(v, bool | int | float | str) else str(v) for k, v in settings.items()}
        for summary in hparams(plain, {figure: 0.0}):
            self.writer.file_writer.add_summary(summary)
        rows = [f"| {name} | {value} |" for name, value in plain.items()]
        self.writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]), self.step)

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        if row["step"] % self.log_every == 0:
            self._write(figures(row, STEPS, {}), row["step"])

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        self._write(figures(row, EPOCHS, self.names), row["step"])
        self.writer.flush()

    def on_pictures(self, pictures: Pictures, step: int) -> None:
        for name, images in pictures.items():
            self.writer.add_images(name, to_uint8(images), step, dataformats="NHWC")

    def _write(self, scalars: Mapping[str, Any], step: int) -> None:
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, step)

    def close(self, code: int) -> None:
        self.writer.close()


def describe_failure(error: BaseException) -> str:
    """The kind of ``error`` and the first line of what it says."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


class Forgiving(Tracker):
    """A tracker whose first failure is warned of and closes it; the training goes on."""

    def __init__(self, name: str, make: Callable[[], Tracker], console: Console) -> None:
        self.name, self.console, self.tracker = name, console, Tracker()
        with self._forgive():
            self.tracker = make()

    @contextlib.contextmanager
    def _forgive(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            reason = describe_failure(error)
            self.console.warn(f"{self.name} failed and records no more of this run; the training continues: {reason}")
            failed, self.tracker = self.tracker, Tracker()
            with contextlib.suppress(Exception):
                failed.close(1)

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        with self._forgive():
            self.tracker.on_step(row, seconds)

    def on_pictures(self, pictures: Pictures, step: int) -> None:
        with self._forgive():
            self.tracker.on_pictures(pictures, step)

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        with self._forgive():
            self.tracker.on_epoch(row, seconds)

    def close(self, code: int) -> None:
        with self._forgive():
            self.tracker.close(code)
