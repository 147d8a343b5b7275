"""Loss curves as pictures, drawn from the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.engine import journal

Curves = Mapping[str, Sequence[str]]
"""Title of each panel, with the names of the figures that it shows."""

VAE_CURVES: Curves = {
    "total": ["loss"],
    "reconstruction": ["mse", "val/mse"],
    "KL (nats)": ["kl", "val/kl"],
    "perceptual": ["perceptual"],
}
DIFFUSION_CURVES: Curves = {"loss": ["loss", "val/loss", "val/linear"]}
CYCLEGAN_CURVES: Curves = {
    "generators, average": ["Total_G_Loss"],
    "critics, average": ["Total_D_Loss"],
    "L1": ["unweighted/G_Loss_L1_AB", "val/l1"],
    "SAR there and back": ["unweighted/G_Loss_Cycle_A", "val/cycle_A"],
}
COLOURS = ("#2a6f97", "#d1495b", "#8d99ae")


def closed_epochs(folder_journal: Path) -> list[dict[str, Any]]:
    """The journal's rows of whole epochs."""
    return [row for row in journal.read(folder_journal) if row.get("closed")]


def draw(rows: Sequence[Mapping[str, Any]], curves: Curves, path: Path, *, marks: Mapping[str, float]) -> None:
    """Write one panel a title, epochs along the axis; ``marks`` are dashed levels by title."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    columns = min(2, len(curves))
    lines = -(-len(curves) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.6 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (title, names) in enumerate(curves.items(), 1):
        axes = figure.add_subplot(lines, columns, i)
        _panel(axes, rows, names)
        if title in marks:
            axes.axhline(marks[title], color="grey", linestyle="--", label=f"target {marks[title]:g}")
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable.open_atomic(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _panel(axes: Any, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    for name, colour in zip(names, COLOURS, strict=False):
        points = [(row["epoch"], row[name]) for row in rows if name in row]
        if points:
            label = {"val/linear": "linear baseline"}.get(name, "held out" if name.startswith("val/") else "training")
            axes.plot(*zip(*points, strict=True), color=colour, marker="." if len(points) < 30 else "", label=label)
