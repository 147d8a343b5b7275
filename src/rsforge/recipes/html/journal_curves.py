"""The curves of a training, read from its journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.engine.journal import read
from rsforge.recipes.html.svg_chart import Curve


def read_curves(journal: Path, training: str, held_out: str, baseline: str = "") -> list[Curve]:
    """The training, held-out and, where one is named, baseline figures of a run by optimizer step.

    Training figures stand in the rows of single steps, the others in the rows that close an epoch.
    """
    rows = read(journal)
    steps = [row for row in rows if not row.get("closed")]
    epochs = [row for row in rows if row.get("closed")]
    curves = [
        Curve("training", "training", _points(steps, training)),
        Curve("held out", "held-out", _points(epochs, held_out)),
    ]
    if baseline:
        curves.append(Curve("linear baseline", "baseline", _points(epochs, baseline)))
    return curves


def _points(rows: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(row["step"], row[name]) for row in rows if name in row]
