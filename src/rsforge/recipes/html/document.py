"""HTML documents without scripts, with the common style sheet: the page around a body, and tables."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import Any

_DOCUMENT = """<!DOCTYPE html>
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


def render_document(title: str, body: Iterable[str], style: str = "") -> str:
    """A document with the common style sheet and ``style`` after it; ``body`` is HTML, ``title`` plain text."""
    common = resources.files("rsforge.recipes").joinpath("report.css").read_text("utf-8")
    return _DOCUMENT.format(title=escape(title), style=common + style, body="\n".join(body))


def render_image(png: bytes, alt: str) -> str:
    """An ``<img>`` that holds the contents of a PNG file; ``alt`` is plain text."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">'


def render_table(rows: Iterable[Sequence[Any]]) -> str:
    """A table of values in plain text; the first column holds headings."""
    return f"<table><tbody>{''.join(map(_render_row, rows))}</tbody></table>"


def _render_row(row: Sequence[Any]) -> str:
    heading, *values = (escape(format_value(value)) for value in row)
    cells = "".join(f"<td>{value}</td>" for value in values)
    return f'<tr><th scope="row">{heading}</th>{cells}</tr>'


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
