"""``report.html`` of an evaluation of a text-to-image model: figures, drawn beside true images, and the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import Tensor

from rsforge.data.io.image_writer import encode_image, to_uint8
from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.html.document import render_document, render_image, render_table
from rsforge.recipes.published.comparison import SECTION as PUBLISHED
from rsforge.recipes.published.comparison import render_comparison
from rsforge.recipes.text_evaluation.protocol import PROTOCOL
from rsforge.recipes.verdict import list_sentences

SHOWN = 12
TITLE = "Evaluation of a text-to-image model"
_STYLE = """
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1.2rem; }
.pairs .row { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: .3rem; }
.pairs .row span { font-size: .75rem; color: var(--soft); text-align: center; }
"""


@dataclass(frozen=True)
class ShownCaption:
    """Images ``(3, H, W)`` in [-1, 1] of a caption by what they are."""

    caption: str
    images: Mapping[str, Tensor]


def choose_shown(count: int) -> list[int]:
    """Evenly spread numbers of images to show."""
    shown = min(count, SHOWN)
    return [k * count // shown for k in range(shown)]


def render_report(result: Mapping[str, Any], shown: Sequence[ShownCaption]) -> str:
    """The page as text; it needs no network, no script and no other file."""
    lead = (
        f"{result['images']} images of the subset {result['side']} of {result['data_dir']}, one drawn for each caption."
    )
    body = [f"<h1>{TITLE}</h1>", f'<p class="lead">{escape(lead)}</p>', render_figures(result)]
    body += [f"<p>{escape(sentence)}</p>" for sentence in list_sentences(result)]
    notes = [f"{name} is {meaning}" for name, meaning in result["baselines"].items()]
    notes += [f"Not measured: {name}: {reason}" for name, reason in result["absent"].items()]
    body += [f'<p class="soft">{escape(note)}.</p>' for note in (*result.get(FINDINGS, ()), *notes)]
    if result["doubts"]:
        body.append("<h2>Mind</h2>")
        body += [f"<p>{escape(doubt[:1].upper() + doubt[1:])}.</p>" for doubt in result["doubts"]]
    body += ["<h2>True and drawn</h2>", '<div class="pairs">', *map(_render_shown, shown), "</div>"]
    body += render_comparison(result.get(PUBLISHED))
    body += ["<h2>How it was measured</h2>", render_table(_list_facts(result))]
    return render_document(TITLE, body, _STYLE)


def render_figures(result: Mapping[str, Any]) -> str:
    """A table of a row for each figure and a column for each predictor."""
    names = list(result["figures"])
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *names))
    rows = []
    for figure, direction in result["directions"].items():
        cells = "".join(f"<td>{escape(_format(result['figures'][name].get(figure)))}</td>" for name in names)
        rows.append(f'<tr><th scope="row">{escape(figure)} ({direction} is better)</th>{cells}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _format(value: Any) -> str:
    if value is None or (isinstance(value, Mapping) and value["mean"] is None):
        return "-"
    if not isinstance(value, Mapping):
        return f"{value:.4g}"
    if value.get("low") is not None:
        return f"{value['mean']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
    return f"{value['mean']:.4g}" + (f" ± {value['std']:.2g}" if value.get("std") is not None else "")


def _render_shown(one: ShownCaption) -> str:
    pictures = "".join(
        f"<span>{render_image(encode_image(to_uint8(image[None])[0], '.png'), f'{what}: {one.caption}')}{what}</span>"
        for what, image in one.images.items()
    )
    return f'<figure><div class="row">{pictures}</div><figcaption>{escape(one.caption)}</figcaption></figure>'


def _list_facts(result: Mapping[str, Any]) -> Iterable[Sequence[Any]]:
    plain = {name: value for name, value in result.items() if isinstance(value, str | int | float)}
    return [*plain.items(), *_flatten(result[PROTOCOL], f"{PROTOCOL}.")]


def _flatten(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value if isinstance(value, str | int | float | None) else json.dumps(value)
