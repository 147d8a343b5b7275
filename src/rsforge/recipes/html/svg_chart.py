"""Loss curves as inline SVG with a logarithmic axis, of text and lines only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 640
HEIGHT = 330
LEFT = 66
RIGHT = 16
TOP = 44
BOTTOM = 48
MOST_POINTS = 80

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Curve:
    """One line of a chart; ``style`` is training, held-out or baseline."""

    name: str
    style: str
    points: Points

    def average_points(self) -> Points:
        """The points that a logarithmic axis can show; neighbours are averaged until ``MOST_POINTS`` remain."""
        usable = [(x, y) for x, y in self.points if math.isfinite(x) and math.isfinite(y) and y > 0]
        size = max(1, math.ceil(len(usable) / MOST_POINTS))
        runs = [usable[i : i + size] for i in range(0, len(usable), size)]
        return [(sum(x for x, _ in run) / len(run), sum(y for _, y in run) / len(run)) for run in runs]


def render_chart(title: str, curves: Sequence[Curve], *, x_label: str, y_label: str) -> str:
    """An ``<svg>`` of ``curves`` by name, with both axes labelled; a sentence when there is nothing to draw."""
    averaged = [(curve, curve.average_points()) for curve in curves]
    visible = [(curve, points) for curve, points in averaged if points]
    if not visible:
        return f'<p class="soft">{escape(title)}: nothing was recorded.</p>'
    scale = _Scale([point for _, points in visible for point in points])
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        *scale.axes(x_label, y_label),
        *(_render_line(curve, points, scale) for curve, points in visible),
        *(_render_legend(curve, place) for place, (curve, _) in enumerate(visible)),
        "</svg>",
    ]
    return "\n".join(parts)


def _render_line(curve: Curve, points: Points, scale: _Scale) -> str:
    if len(points) == 1:  # a line of one point would not be seen
        x, y = points[0]
        place = f'cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}"'
        return f'<circle class="curve {escape(curve.style)}" {place} r="4"><title>{escape(curve.name)}</title></circle>'
    path = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in points)
    return (
        f'<polyline class="curve {escape(curve.style)}" points="{path}"><title>{escape(curve.name)}</title></polyline>'
    )


def _render_legend(curve: Curve, place: int) -> str:
    x = LEFT + 190 * place
    return (
        f'<line class="curve {escape(curve.style)}" x1="{x}" y1="22" x2="{x + 24}" y2="22"/>'
        f'<text x="{x + 31}" y="26">{escape(curve.name)}</text>'
    )


class _Scale:
    """Pixel coordinates of figures: x linear, y logarithmic."""

    def __init__(self, points: Points) -> None:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        self.low_x = min(0.0, *xs)
        self.high_x = max(xs) or 1.0
        low, high = math.log10(min(ys)), math.log10(max(ys))
        margin = max(0.05, 0.06 * (high - low))
        self.low_y = low - margin
        self.high_y = high + margin

    def x(self, value: float) -> float:
        return LEFT + (value - self.low_x) / (self.high_x - self.low_x) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return TOP + (self.high_y - math.log10(value)) / (self.high_y - self.low_y) * (HEIGHT - TOP - BOTTOM)

    def axes(self, x_label: str, y_label: str) -> list[str]:
        across, middle = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
        return [
            *(self._level(value) for value in self._levels()),
            *(self._step(value) for value in round_steps(self.high_x)),
            f'<text x="{across:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>',
            f'<text transform="translate(16 {middle:.0f}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>',
        ]

    def _levels(self) -> list[float]:
        """Visible values of the form 1, 2 or 5 times a power of ten; finer ones where fewer than two are visible."""
        for digits in ((1, 2, 5), range(1, 10), [d / 10 for d in range(10, 100)]):
            decades = range(math.floor(self.low_y), math.ceil(self.high_y) + 1)
            values = [float(f"{d * 10.0**k:.12g}") for k in decades for d in digits]
            visible = [v for v in values if self.low_y <= math.log10(v) <= self.high_y]
            if len(visible) > 1:
                return visible[:: math.ceil(len(visible) / 10)]
        return visible

    def _level(self, value: float) -> str:
        y = self.y(value)
        return (
            f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )

    def _step(self, value: float) -> str:
        return f'<text x="{self.x(value):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{value:g}</text>'


def round_steps(end: float) -> list[float]:
    """Round numbers from 0 to ``end``, four to ten of them."""
    power = 10.0 ** math.floor(math.log10(end))
    unit = next(power * part for part in (0.1, 0.2, 0.25, 0.5, 1, 2) if end / (power * part) <= 9)
    return [unit * k for k in range(int(end / unit + 1e-9) + 1)]
