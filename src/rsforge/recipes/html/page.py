"""One HTML file that shows what a series of runs made: pictures, curves, figures, settings, commands."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.recipes.html.svg_chart import Curve, render_chart

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Headline:
    """A figure in large type, and in small type what it is beside its trivial baseline."""

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


def render_document(title: str, body: Iterable[str], style: str = "") -> str:
    """A page in the house's style, with ``style`` added; ``body`` is HTML, ``title`` plain text."""
    common = resources.files("rsforge.recipes").joinpath("report.css").read_text("utf-8")
    return _PAGE.format(title=escape(title), style=common + style, body="\n".join(body))


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
    data = base64.b64encode(picture.path.read_bytes()).decode()
    kind = ' class="wide"' if picture.wide else ""
    return (
        f'<figure{kind}><img src="data:image/png;base64,{data}" alt="{escape(picture.caption)}">'
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
    )


def _render_chart(shown: Chart) -> str:
    drawn = render_chart(shown.title, shown.curves, x_label="optimizer step", y_label=shown.y_label)
    caption = " ".join(filter(None, [f"{shown.title}.", shown.reading]))
    return f'<figure class="chart">{drawn}<figcaption>{escape(caption)}</figcaption></figure>'


def _render_stages(stages: Sequence[Stage]) -> list[str]:
    parts = ["<h2>Stages</h2>", render_table([(s.title, format_duration(s.seconds)) for s in stages])]
    for stage in stages:
        if stage.command:
            parts += [f"<h3>{escape(stage.title)}</h3>", f"<pre>{escape(stage.command)}</pre>"]
    return parts


def _render_settings(stages: Sequence[Stage]) -> list[str]:
    """The settings of each stage that differ from their default, and the others to be unfolded."""
    parts = ["<h2>Settings</h2>"]
    for stage in stages:
        rows = [(name, value, stage.origins.get(name, "default")) for name, value in flatten(stage.settings)]
        if rows:
            chosen, left = ([r for r in rows if (r[2] == "default") is same] for same in (False, True))
            parts += [f"<h3>{escape(stage.title)}</h3>", render_table(chosen)]
            parts += [f"<details><summary>{len(left)} defaults</summary>", render_table(left), "</details>"]
    return parts


def flatten(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Names and values of nested settings, sections flattened."""
    return [
        leaf
        for name, value in tree.items()
        for leaf in (flatten(value) if isinstance(value, Mapping) else [(name, value)])
    ]


def render_table(rows: Iterable[Sequence[Any]]) -> str:
    """A table whose first column is a heading."""
    lines = (f'<tr><th scope="row">{escape(format_value(row[0]))}</th>{_render_cells(row[1:])}</tr>' for row in rows)
    return f"<table><tbody>{''.join(lines)}</tbody></table>"


def _render_cells(values: Sequence[Any]) -> str:
    return "".join(f"<td>{escape(format_value(value))}</td>" for value in values)


def format_value(value: Any) -> str:
    """One value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(format_value(v) for v in value) or "none"
    return str(value)


def format_duration(seconds: float) -> str:
    """``2 min 05 s``; tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def read_curves(journal: Path, trained: str, held_out: str, baseline: str = "") -> list[Curve]:
    """The training, held-out and baseline figures of a run's journal, by optimizer step."""
    rows = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    steps = [row for row in rows if not row.get("closed")]
    epochs = [row for row in rows if row.get("closed")]
    wanted = [
        ("training", "training", steps, trained),
        ("held out", "held-out", epochs, held_out),
        ("linear baseline", "baseline", epochs, baseline),
    ]
    return [
        Curve(name, style, [(row["step"], row[key]) for row in of if key in row])
        for name, style, of, key in wanted
        if key
    ]


def psnr_db(mse: float) -> float:
    """The peak signal-to-noise ratio of a mean squared error of images in [-1, 1]."""
    return 10 * math.log10(4 / mse) if mse > 0 else math.inf


def format_share(figure: float, baseline: float) -> str:
    """``figure`` as a whole percentage of ``baseline``."""
    return f"{100 * figure / baseline:.0f} %" if baseline > 0 else "no share"
