"""Who hears a run's rows: the display, TensorBoard, the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rsforge.recipes.voice import Meter


class Display:
    """Feeds a progress with the newest loss, and the held-out figure of the last epoch."""

    def __init__(self, meter: Meter, *, epochs: int, monitor: str) -> None:
        self.meter, self.epochs, self.monitor = meter, epochs, monitor

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        self.meter.step(epoch=f"{row['epoch']}/{self.epochs}", loss=row.get("loss", "skipped"), lr=row["lr"])

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        if self.monitor in row:
            self.meter.step(0, val=f"{row[self.monitor]:.4g}{'*' if row['best'] else ''}")


class Clock:
    """timing.jsonl: how long each epoch took; apart from the journal, which repeats to the byte."""

    def __init__(self, path: Path) -> None:
        self.path, self.seconds, self.steps = path, 0.0, 0

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        self.seconds, self.steps = self.seconds + seconds, self.steps + 1

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        line = {"epoch": row["epoch"], "training_s": round(self.seconds, 3), "closing_s": round(seconds, 3)}
        rate = {"steps_per_s": round(self.steps / max(self.seconds, 1e-9), 3)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | rate) + "\n")
        self.seconds, self.steps = 0.0, 0


class TensorBoard:
    """Scalars of every logged step and epoch; a resumed run writes over what it repeats."""

    def __init__(self, folder: Path, *, step: int, log_every: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(log_dir=str(folder), purge_step=step or None)
        self.log_every = log_every

    def on_step(self, row: Mapping[str, Any], seconds: float) -> None:
        if row["step"] % self.log_every == 0:
            self._write("step", row)

    def on_epoch(self, row: Mapping[str, Any], seconds: float) -> None:
        self._write("epoch", row)
        self.writer.flush()

    def _write(self, group: str, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            if name not in ("step", "epoch", "best"):
                self.writer.add_scalar(f"{group}/{name}", value, row["step"])

    def close(self) -> None:
        self.writer.close()
