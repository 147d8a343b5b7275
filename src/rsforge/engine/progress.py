"""How far a run is, as its checkpoints hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMER_ORDER = "randperm"


@dataclass
class Progress:
    """Optimizer steps, whole epochs, and the running sums since the last row of figures.

    ``closed`` is the step up to which everything due was done, -1 where the start is still to be validated. ``shape``
    is what makes a step the same step: micro-batches in it, and steps in an epoch; ``order`` names the shuffle.
    ``skipped`` counts the steps that were left out because something in them was not finite.
    """

    step: int = 0
    epoch: int = 0
    journal_lines: int = 0
    finished: str = ""
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0
    shape: list[int] = field(default_factory=list)
    closed: int = 0
    order: str = "feistel"
    skipped: int = 0


def from_state(state: Mapping[str, Any]) -> Progress:
    """The progress of a checkpoint; those of before say neither what was closed nor in which order they read."""
    values = dict(state)
    if "closed" not in values:
        per_epoch = values["shape"][1]
        # Only the end of an epoch was ever open, between its last step and its close.
        waits = values["step"] == (values["epoch"] + 1) * per_epoch
        values["closed"] = values["step"] - 1 if waits else values["step"]
        values["order"] = FORMER_ORDER
    return Progress(**values)
