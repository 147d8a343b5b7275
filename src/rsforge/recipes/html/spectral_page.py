"""``report.html`` of an evaluation of spectra: figures beside baselines, pictures in three colours, curves, errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from rsforge.recipes.html.document import render_document, render_image, render_table
from rsforge.recipes.html.line_chart import Line, render_lines

_STYLE = """
.curve.truth { stroke: var(--ink); }
.who { display: none; color: var(--soft); } .interval { color: var(--soft); white-space: nowrap; }
.rows { display: grid; gap: 1rem; margin: 1rem 0; }
.composites { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem; }
.composites figcaption { margin-top: .2rem; font-size: .8rem; }
@media (max-width: 40rem) { .who { display: inline; } .interval { white-space: normal; } td.empty { display: none; } }
"""


@dataclass(frozen=True)
class Composite:
    """A picture as a PNG file, and what it is."""

    title: str
    png: bytes


@dataclass(frozen=True)
class PatchView:
    """The pictures of a patch, with what is said of it."""

    title: str
    composites: Sequence[Composite]


@dataclass(frozen=True)
class LineChart:
    """Lines over wavelength, with what to see in them."""

    title: str
    lines: Sequence[Line]
    x_label: str
    y_label: str


@dataclass(frozen=True)
class StageView:
    """A stage: its part of the result, patches, spectra of pixels, errors by band, and published figures as HTML."""

    result: Mapping[str, Any]
    patches: Sequence[PatchView]
    spectra: Sequence[LineChart]
    bands: LineChart
    published: Sequence[str] = ()


@dataclass(frozen=True)
class SpectralReport:
    """Everything on the page, in plain text; ``cards`` are figures in large type with their reading."""

    title: str
    lead: str
    cards: Sequence[tuple[str, str]]
    stages: Sequence[StageView]
    doubts: Sequence[str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    verdicts: Sequence[str] = ()


def render_page(report: SpectralReport) -> str:
    """The page as text; it needs no network, no script and no other file."""
    body = [f"<h1>{escape(report.title)}</h1>", f'<p class="lead">{escape(report.lead)}</p>', '<div class="cards">']
    body += [
        f'<div class="card"><b>{escape(value)}</b><span>{escape(text)}</span></div>' for value, text in report.cards
    ]
    body.append("</div>")
    if report.doubts:
        body.append("<h2>Mind</h2>")
        body += [f"<p>{escape(doubt[:1].upper() + doubt[1:])}.</p>" for doubt in report.doubts]
    for stage in report.stages:
        body += _render_stage(stage)
    body += ["<h2>What was measured</h2>", render_table(report.facts.items())]
    body += [f"<p>{escape(sentence)}</p>" for sentence in report.verdicts]
    return render_document(report.title, body, _STYLE)


def _render_stage(stage: StageView) -> Iterable[str]:
    result = stage.result
    yield f"<h2>{escape(result['title'])}</h2><p>{escape(result['reading'])}</p>"
    yield render_figures(result)
    yield f'<p class="soft">Means over patches; PSNR is of the peak {result["means"]["psnr_peak"]}.</p>'
    yield render_figures(result["means"])
    yield "".join(
        f'<p class="soft">{escape(name)} is {escape(text)}.</p>' for name, text in result["baselines"].items()
    )
    yield "".join(f'<p class="soft">{escape(note[:1].upper() + note[1:])}.</p>' for note in result["notes"])
    for name, reason in (*result["absent"].items(), *result["means"]["absent"].items()):
        yield f'<p class="soft">Not measured: {escape(name)}: {escape(reason)}.</p>'
    yield from stage.published
    yield '<div class="rows">'
    yield from map(_render_patch, stage.patches)
    yield "</div>"
    yield '<div class="pictures">'
    yield from (_render_chart(chart) for chart in (*stage.spectra, stage.bands))
    yield "</div>"


def render_figures(result: Mapping[str, Any]) -> str:
    """A table of the figures of a stage: a row for each, a column for each predictor and one for the gain."""
    names = list(result["figures"])
    heading = "".join(f"<th>{escape(name)}</th>" for name in ("", *names, "gain"))
    rows = []
    for figure, unit in result["units"].items():
        arrow = "higher" if result["directions"][figure] == "higher" else "lower"
        label = f"{figure}{f', {unit}' if unit else ''} ({arrow} is better)"
        cells = [_render_cell(name, result["figures"][name][figure]) for name in names]
        gain = result["gain"][figure]
        cells.append(_render_cell("gain", gain, f" over {gain['over']}"))
        rows.append(f'<tr><th scope="row">{escape(label)}</th>{"".join(cells)}</tr>')
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _render_cell(name: str, row: Mapping[str, Any], more: str = "") -> str:
    if row["mean"] is None:
        return f'<td><span class="who">{escape(name)} </span>-</td>'
    interval = f'<span class="interval"> [{row["low"]:.4g}, {row["high"]:.4g}]</span>' if row["low"] is not None else ""
    who = f'<span class="who">{escape(name)} </span>'
    return f'<td>{who}{row["mean"]:.4g}{interval}<span class="soft">{escape(more)}</span></td>'


def _render_patch(patch: PatchView) -> str:
    pictures = "".join(
        f"<figure>{render_image(one.png, one.title)}<figcaption>{escape(one.title)}</figcaption></figure>"
        for one in patch.composites
    )
    return f'<div><h3>{escape(patch.title)}</h3><div class="composites">{pictures}</div></div>'


def _render_chart(chart: LineChart) -> str:
    svg = render_lines(chart.title, chart.lines, x_label=chart.x_label, y_label=chart.y_label)
    return f'<figure class="chart">{svg}<figcaption>{escape(chart.title)}.</figcaption></figure>'
