"""Loss curves as pictures, drawn from the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.engine import journal
from rsforge.recipes.console import Console
from rsforge.recipes.tracking.listeners import describe_failure

Curves = Mapping[str, Sequence[str]]
"""Title of each panel, with the names of the figures that it shows."""

COLOURS = ("#2a6f97", "#d1495b", "#8d99ae", "#3a7d44", "#e09f3e", "#6d597a")
LINES = ("-", "--", ":", "-.")
LABELS = {
    "val/linear": "mean and variance alone",
    "val/gaussian": "Gaussian baseline",
    "val/scale_mixture": "Gaussian scales",
}


class LossPlot:
    """Draws the curves of a run's journal into ``path``; nothing where no epoch has ended yet.

    A failure is said once and never raised: no training ends for the sake of its plot.
    """

    def __init__(
        self, journal: Path, curves: Curves, path: Path, *, marks: Mapping[str, float], console: Console
    ) -> None:
        self.journal, self.curves, self.path, self.marks = journal, curves, path, marks
        self.console, self.failed = console, False

    def __call__(self) -> None:
        try:
            rows = closed_rows(self.journal) if self.journal.exists() else []
            if rows:
                draw(rows, self.curves, self.path, marks=self.marks)
        except Exception as error:
            if not self.failed:
                self.console.warn(f"{self.path} could not be drawn, the run goes on: {describe_failure(error)}")
            self.failed = True


def closed_rows(folder_journal: Path) -> list[dict[str, Any]]:
    """The journal's rows of epochs and validations."""
    return [row for row in journal.read(folder_journal) if row.get("closed")]


def draw(rows: Sequence[Mapping[str, Any]], curves: Curves, path: Path, *, marks: Mapping[str, float]) -> None:
    """Write one panel a title, epochs along the axis, or steps where epochs have several rows.

    A term whose figures are 0 in all rows is switched off and has no panel. ``marks`` are dashed levels by title. The
    run is named by the folder of ``path``, and the best model marked.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    curves = select_used(rows, curves) or curves
    axis = "epoch" if len({row["epoch"] for row in rows}) == len(rows) else "step"
    columns = min(2, len(curves))
    lines = -(-len(curves) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.6 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(path.parent.resolve().name)
    best = next((row for row in reversed(rows) if row.get("best")), None)
    for i, (title, names) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(lines, columns, i)
        _panel(axes, rows, names, axis)
        if title in marks:
            axes.axhline(marks[title], color="grey", linestyle="--", label=f"target {marks[title]:g}")
        if best is not None:
            axes.axvline(best[axis], color="grey", linestyle=":", label=_label_best(best, axis))
        axes.set(title=title, xlabel=axis, ylabel=_label_axis(names))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable.open_atomic(path) as file:
        figure.savefig(file, format="png", dpi=110)


def select_used(rows: Sequence[Mapping[str, Any]], curves: Curves) -> Curves:
    """The panels but those whose figures are 0 in every row."""
    return {
        title: names
        for title, names in curves.items()
        if {row[name] for row in rows for name in names if name in row} != {0}
    }


def _panel(axes: Any, rows: Sequence[Mapping[str, Any]], names: Sequence[str], axis: str) -> None:
    """One line a figure, however many there are: colours repeat with another line style."""
    for number, name in enumerate(names):
        points = [(row[axis], row[name]) for row in rows if name in row]
        if not points:
            continue
        turn, colour = divmod(number, len(COLOURS))
        marker = "." if len(points) < 30 else ""
        style = {"color": COLOURS[colour], "linestyle": LINES[turn % len(LINES)], "marker": marker}
        axes.plot(*zip(*points, strict=True), label=_label(name, names), **style)


def _label_best(row: Mapping[str, Any], axis: str) -> str:
    return "best (the start)" if row["step"] == 0 else f"best ({axis} {row[axis]})"


def _label_axis(names: Sequence[str]) -> str:
    """What the axis counts: the figure of the panel under its name in the journal."""
    return names[0].removeprefix("unweighted/")


def _label(name: str, names: Sequence[str]) -> str:
    """What a curve is; its own name where a panel has several of the same subset."""
    subset = "held out" if name.startswith("val/") else "training"
    alike = [other for other in names if other.startswith("val/") == name.startswith("val/") and other not in LABELS]
    return LABELS.get(name, subset if len(alike) == 1 else name)
