"""Histograms as inline SVG: how often values occur, as bars between labelled ends."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 400
HEIGHT = 150
BASE = 122  # where the bars stand
TOP = 12


def render_histogram(title: str, counts: Sequence[int], low: float, high: float) -> str:
    """An ``<svg>`` of ``counts`` in bins of equal width from ``low`` to ``high``; the highest bar fills it."""
    most = max(counts, default=0)
    if not most:
        return f'<p class="soft">{escape(title)}: there are no values.</p>'
    width = WIDTH / len(counts)
    bars = [
        f'<rect class="bar" x="{k * width:.2f}" y="{BASE - height:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
        for k, height in enumerate((BASE - TOP) * count / most for count in counts)
    ]
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
            *bars,
            f'<text x="6" y="{HEIGHT - 10}">{low:.4g}</text>',
            f'<text x="{WIDTH / 2:g}" y="{HEIGHT - 10}" text-anchor="middle">{escape(title)}</text>',
            f'<text x="{WIDTH - 6}" y="{HEIGHT - 10}" text-anchor="end">{high:.4g}</text>',
            "</svg>",
        ]
    )
