"""Trackers of a training: a run of W&B that is none, a console that remembers, and a TensorBoard folder read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROW = {"step": 10, "epoch": 2, "lr": 1e-3, "Total_G_Loss": 2.0, "best": False}
RENAMED = {"Total_G_Loss": "Avg_G_Loss"}


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0}).Reload()


class FakeRun:
    """What is used of a run of W&B."""

    id, disabled = "abc", False

    def __init__(self, offline: bool = True, broken: bool = False) -> None:
        self.offline, self.broken, self.code = offline, broken, None
        self.logged: list[tuple[int | None, dict[str, Any]]] = []
        self.artifacts: list[tuple[str, list[str], dict[str, bytes]]] = []

    def define_metric(self, name: str, step_metric: str) -> None: ...

    def log(self, row: dict[str, Any], step: int | None = None) -> None:
        self.logged.append((step, row))
        if self.broken:
            raise OSError(28, "no space")

    def log_artifact(self, artifact: Any, aliases: list[str]) -> None:
        files = {name: Path(entry.local_path).read_bytes() for name, entry in artifact.manifest.entries.items()}
        self.artifacts.append((artifact.name, aliases, files))

    def finish(self, exit_code: int) -> None:
        self.code = exit_code
