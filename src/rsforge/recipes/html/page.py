"""One HTML file that shows the results of a series of runs: pictures, curves, figures, settings, commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.recipes.html.document import render_document, render_image, render_table
from rsforge.recipes.html.svg_chart import Curve, render_chart
from rsforge.wording import count_noun


@dataclass(frozen=True)
class Headline:
    """A figure in large type, and a line in small type that compares it with its trivial baseline."""

    value: str
    reading: str


@dataclass(frozen=True)
class Picture:
    """A PNG file and what it shows."""

    path: Path
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Chart:
    """Loss curves, with what to see in them."""

    title: str
    curves: Sequence[Curve]
    y_label: str
    reading: str = ""


@dataclass(frozen=True)
class Stage:
    """A part of the work: how long it took, the command that repeats it, and its settings with their origins."""

    title: str
    seconds: float
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A heading with a sentence, pictures and charts under it."""

    title: str
    text: str
    pictures: Sequence[Picture] = ()
    charts: Sequence[Chart] = ()


@dataclass(frozen=True)
class Report:
    """Everything on the page, in plain text: ``write_page`` escapes it."""

    title: str
    lead: str
    headlines: Sequence[Headline]
    sections: Sequence[Section]
    stages: Sequence[Stage]
    data: Mapping[str, Any]
    environment: Mapping[str, Any]


def write_page(path: Path, report: Report) -> None:
    """Write ``report`` as one page that needs no network, no script and no other file; whole or not at all."""
    leftovers.sweep_for([path])
    durable.write_text(path, render_page(report))


def render_page(report: Report) -> str:
    """The page as text."""
    body = [
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="lead">{escape(report.lead)}</p>',
        '<div class="cards">',
        *(_render_card(headline) for headline in report.headlines),
        "</div>",
        *(_render_section(section) for section in report.sections),
        *_render_stages(report.stages),
        *_render_settings(report.stages),
        "<h2>Data</h2>",
        render_table(report.data.items()),
        "<h2>Environment</h2>",
        render_table(report.environment.items()),
    ]
    return render_document(report.title, body)


def _render_card(headline: Headline) -> str:
    return f'<div class="card"><b>{escape(headline.value)}</b><span>{escape(headline.reading)}</span></div>'


def _render_section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.text)}</p>"]
    if section.pictures:
        parts += ['<div class="pictures">', *(_render_picture(p) for p in section.pictures), "</div>"]
    if section.charts:
        parts += ['<div class="pictures">', *(_render_chart(c) for c in section.charts), "</div>"]
    return "\n".join(parts)


def _render_picture(picture: Picture) -> str:
    image = render_image(picture.path.read_bytes(), picture.caption)
    kind = ' class="wide"' if picture.wide else ""
    return f"<figure{kind}>{image}<figcaption>{escape(picture.caption)}</figcaption></figure>"


def _render_chart(chart: Chart) -> str:
    svg = render_chart(chart.title, chart.curves, x_label="optimizer step", y_label=chart.y_label)
    caption = f"{chart.title}. {chart.reading}".rstrip()
    return f'<figure class="chart">{svg}<figcaption>{escape(caption)}</figcaption></figure>'


def _render_stages(stages: Sequence[Stage]) -> list[str]:
    parts = ["<h2>Stages</h2>", render_table([(s.title, format_duration(s.seconds)) for s in stages])]
    for stage in stages:
        if stage.command:
            parts += [f"<h3>{escape(stage.title)}</h3>", f"<pre>{escape(stage.command)}</pre>"]
    return parts


def _render_settings(stages: Sequence[Stage]) -> list[str]:
    """The settings of each stage that were chosen, and its defaults in an element that readers open."""
    parts = ["<h2>Settings</h2>"]
    for stage in stages:
        rows = [(name, value, stage.origins.get(name, "default")) for name, value in _flatten(stage.settings)]
        if rows:
            defaults = [row for row in rows if row[2] == "default"]
            chosen = [row for row in rows if row[2] != "default"]
            parts += [f"<h3>{escape(stage.title)}</h3>", render_table(chosen)]
            parts += [
                f"<details><summary>{count_noun(len(defaults), 'default')}</summary>",
                render_table(defaults),
                "</details>",
            ]
    return parts


def _flatten(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of nested settings, sections flattened."""
    return [
        leaf
        for name, value in tree.items()
        for leaf in (_flatten(value) if isinstance(value, Mapping) else [(name, value)])
    ]


def format_duration(seconds: float) -> str:
    """``2 min 05 s``; tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
