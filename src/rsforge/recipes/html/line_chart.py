"""Lines as inline SVG with linear axes, broken where they have gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rsforge.recipes.html.svg_chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Points

LEGEND_STEP = 175


@dataclass(frozen=True)
class Line:
    """One line of a chart, of several ``runs`` without a line between them; ``style`` is a class of the style sheet."""

    name: str
    style: str
    runs: Sequence[Points]

    def sound_runs(self) -> list[Points]:
        """The runs, cut where a number is not finite."""
        runs: list[list[tuple[float, float]]] = []
        for run in self.runs:
            runs.append([])
            for x, y in run:
                if math.isfinite(x) and math.isfinite(y):
                    runs[-1].append((x, y))
                else:
                    runs.append([])
        return [run for run in runs if run]


def render_lines(title: str, lines: Sequence[Line], *, x_label: str, y_label: str) -> str:
    """An ``<svg>`` of ``lines`` by name, with both axes labelled; a sentence when there is nothing to draw."""
    visible = [(line, runs) for line in lines if (runs := line.sound_runs())]
    if not visible:
        return f'<p class="soft">{escape(title)}: there are no values.</p>'
    points = [point for _, runs in visible for run in runs for point in run]
    across = _Axis([x for x, _ in points], LEFT, WIDTH - RIGHT, margin=0)
    up = _Axis([0.0, *(y for _, y in points)], HEIGHT - BOTTOM, TOP, margin=0.05)
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *(_render_level(value, up.place(value)) for value in up.ticks()),
        *(_render_step(value, across.place(value)) for value in across.ticks()),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
        *(_render_run(line, run, across, up) for line, runs in visible for run in runs),
        *(_render_legend(line, place) for place, (line, _) in enumerate(visible)),
        "</svg>",
    ]
    return "\n".join(parts)


class _Axis:
    """Pixels from ``start`` to ``end`` for the range of ``values``."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, margin: float) -> None:
        low, high = min(values), max(values)
        spread = (high - low) or abs(high) or 1.0
        self.low = low - margin * spread * (low < 0)
        self.high = max(high, low + spread * 1e-9) + margin * spread if high > low else low + spread
        self.start, self.end = start, end

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round numbers within the range, three to eight of them."""
        power = 10.0 ** math.floor(math.log10(self.high - self.low))
        unit = next(power * part for part in (0.1, 0.2, 0.5, 1, 2) if (self.high - self.low) / (power * part) <= 7)
        first, last = math.ceil(self.low / unit - 1e-9), math.floor(self.high / unit + 1e-9)
        return [float(f"{unit * k:.12g}") for k in range(first, last + 1)]


def _render_level(value: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _render_step(value: float, x: float) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>'


def _render_run(line: Line, run: Points, across: _Axis, up: _Axis) -> str:
    if len(run) == 1:  # a line of one point would not be seen
        ((x, y),) = run
        place = f'cx="{across.place(x):.1f}" cy="{up.place(y):.1f}"'
        return f'<circle class="curve {escape(line.style)}" {place} r="2"><title>{escape(line.name)}</title></circle>'
    path = " ".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in run)
    return f'<polyline class="curve {escape(line.style)}" points="{path}"><title>{escape(line.name)}</title></polyline>'


def _render_legend(line: Line, place: int) -> str:
    x = LEFT + LEGEND_STEP * place
    return (
        f'<line class="curve {escape(line.style)}" x1="{x}" y1="22" x2="{x + 24}" y2="22"/>'
        f'<text x="{x + 31}" y="26">{escape(line.name)}</text>'
    )
