"""The files of an evaluation: evaluation.json, a row for every sample, and a picture of some."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.io.image_writer import to_uint8
from rsforge.errors import RsforgeError
from rsforge.recipes.evaluation.evaluation import Column, Panel
from rsforge.recipes.evaluation.summary import to_number
from rsforge.recipes.output_checks import check_makeable

FILES = ("evaluation.json", "per_image.csv", "examples.png")
REPORT = "report.html"
NOTE_WIDTH, NOTE_LINES = 48, 3
NO_PICTURES: Mapping[str, Callable[[Path], None]] = {}
Rows = Sequence[tuple[str, Sequence[Panel]]]
"""Pictures of a sample from left to right, with what is written beside them."""


def check_output(place: Path | None, *, overwrite: bool, names: Sequence[str] = FILES) -> None:
    """RSF-U004 where files of these ``names`` lie and may not be replaced; RSF-E002 or RSF-E008 where none can be."""
    if place is None:
        return
    check_makeable(place, "the evaluation", "--output-dir")
    there = [name for name in names if (place / name).exists()]
    if there and not overwrite:
        what, fix = f"{place} holds an evaluation", "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(there), fix=fix)


def check_outside(place: Path | None, data_dir: str, *, excluded: Path | None = None) -> None:
    """RSF-U005 for an output folder in that of the data: its pictures would be images of the next evaluation.

    Below the folder ``excluded`` nothing is taken for an image.
    """
    if place is None or not Path(data_dir).is_dir():
        return
    folder, own = Path(data_dir).resolve(), place.resolve()
    above = (own, *own.parents)
    if folder in above and (excluded is None or excluded.resolve() not in above):
        what, fix = "the pictures of the evaluation would be taken for images of the data", "name a folder elsewhere"
        raise RsforgeError("RSF-U005", what, where="--output-dir", found=f"{place} lies in {data_dir}", fix=fix)


def write_files(
    place: Path,
    result: Mapping[str, Any],
    csv_text: str,
    rows: Rows,
    *,
    overwrite: bool,
    page: str | None = None,
    pictures: Mapping[str, Callable[[Path], None]] = NO_PICTURES,
) -> None:
    """Pictures, table and ``report.html``, ``evaluation.json`` last: where it is there, the others belong to it."""
    names = (*FILES, *pictures, *([] if page is None else [REPORT]))
    with durable.lock_folder(place):
        leftovers.sweep_for(place / name for name in names)
        check_output(place, overwrite=overwrite, names=names)
        for name in names:
            (place / name).unlink(missing_ok=True)
        if page is not None:
            durable.write_text(place / REPORT, page)
        for name, write in pictures.items():
            write(place / name)
        draw_examples(place / "examples.png", rows)
        durable.write_text(place / "per_image.csv", csv_text)
        durable.write_json(place / "evaluation.json", result)


def csv_of(names: Sequence[str], scenes: Sequence[str], columns: Mapping[str, Column | None]) -> str:
    """The figures of every sample as CSV; a column that was not measured is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "scene", *columns))
    for k, (name, scene) in enumerate(zip(names, scenes, strict=True)):
        writer.writerow((name, scene, *("" if column is None else to_number(column[k]) for column in columns.values())))
    return text.getvalue()


def wrap_note(note: str) -> str:
    """The text in at most so many lines as fit below a picture."""
    return "\n".join(wrap(note, NOTE_WIDTH, max_lines=NOTE_LINES, placeholder=" ..."))


def draw_examples(path: Path, rows: Rows) -> None:
    """A row of panels for every example, with one scale of colours for the maps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = len(rows[0][1])
    figure = Figure(figsize=(3 * width, 3.1 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), width, squeeze=False)
    maps: dict[int, Any] = {}
    for line, (label, panels) in zip(axes, rows, strict=True):
        line[0].set_ylabel(label)
        for k, panel in enumerate(panels):
            line[k].set(xticks=[], yticks=[])
            line[k].set_xlabel(wrap_note(panel.note), fontsize="small", parse_math=False)
            if panel.limit:
                maps[k] = line[k].imshow(panel.image.cpu().numpy(), vmin=0, vmax=panel.limit, cmap="magma")
            else:
                line[k].imshow(to_uint8(panel.image[None])[0])
    for k, panel in enumerate(rows[0][1]):
        axes[0, k].set_title(panel.title)
    for k, drawn in maps.items():
        figure.colorbar(drawn, ax=axes[:, k], extend="max")
    with durable.open_atomic(path) as file:
        figure.savefig(file, format="png", dpi=100)
