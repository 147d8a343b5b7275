"""``audit.html``: the faults of a data set on one page, with images of the items that have them."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.audit.faults import KINDS, DataFault
from rsforge.data.audit.inspect_items import read_as_audited
from rsforge.data.audit.thumbnails import encode_png, make_thumbnail, overlay_pair
from rsforge.data.io.image_reader import SUFFIXES, Pixels, UnreadableError
from rsforge.data.splits.items import DatasetContents, Item
from rsforge.recipes.html.document import render_document, render_image, render_table
from rsforge.recipes.html.histogram import render_histogram
from rsforge.wording import count_noun

SHOWN = 12  # items of a kind with images
SHEET = 24  # items of the contact sheet
BINS = 64
LISTED = 200  # items of a kind in the table
_STYLE = """
td.n, th.n { text-align: right; } @media (max-width: 40rem) { td.n { text-align: left; } }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.sheet figcaption { font-size: .72rem; margin-top: .2rem; overflow-wrap: anywhere; } .sheet .both { gap: .2rem; }
.sheet .both > span { flex: 1 1 0; } .sheet .both .name { display: none; }
 .error { color: var(--red); } .warning { color: var(--sand); }
.faulty { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem; }
.faulty-item { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem;
  margin: 0; }
.both { display: flex; gap: .5rem; } .both > span { flex: 0 1 8rem; font-size: .75rem; color: var(--soft); }
.faulty-item img { width: 100%; border-radius: .3rem; } .faulty-item figcaption { overflow-wrap: anywhere; }
.faulty-item b { color: var(--ink); font-weight: 600; }
"""


@dataclass(frozen=True)
class AuditResult:
    """The contents of the data set, its faults, the number of files that were opened, and facts for the page."""

    contents: DatasetContents
    faults: Sequence[DataFault]
    files: int
    facts: Mapping[str, Any]

    def by_kind(self) -> dict[str, list[DataFault]]:
        """The faults of each kind, in the order of ``KINDS``."""
        groups: dict[str, list[DataFault]] = defaultdict(list)
        for fault in self.faults:
            groups[fault.kind].append(fault)
        return {kind: groups[kind] for kind in KINDS if kind in groups}

    def count(self, severity: str) -> int:
        return sum(fault.severity == severity for fault in self.faults)

    def count_faulty(self, severity: str) -> tuple[int, int]:
        """The number of items with faults, and of other files, folders and tables with faults."""
        named = {fault.item for fault in self.faults if fault.severity == severity}
        items = {item.name for item in self.contents.items}
        return len(named & items), len(named - items)


def render_page(result: AuditResult) -> str:
    """The page as text; it needs no network, no script and no other file."""
    contents = result.contents
    kinds = result.by_kind()
    items = {**_faulty_files(result), **{item.name: item for item in contents.items}}
    cards = [
        (str(len(contents.items)), f"{contents.kind} in {count_noun(result.files, 'file')}"),
        (str(result.count("error")), f"errors in {_describe_faulty(result, 'error')}"),
        (str(result.count("warning")), f"warnings about {_describe_faulty(result, 'warning')}"),
    ]
    title = f"Audit of {_to_utf8(contents.root.resolve().name)}"
    lead = "Every file was opened." if kinds else "Every file was opened; nothing is amiss."
    body = [f"<h1>{escape(title)}</h1>", f'<p class="lead">{lead}</p>', '<div class="cards">']
    body += [f'<div class="card"><b>{value}</b><span>{escape(what)}</span></div>' for value, what in cards]
    body.append("</div>")
    if kinds:
        body.append(_render_overview(kinds))
    body += _render_contact_sheet(contents)
    for kind, faults in kinds.items():
        body += _render_section(kind, faults, contents, items)
    body.append("<h2>What was audited</h2>")
    body.append(render_table((name, _to_utf8(value)) for name, value in result.facts.items()))
    return render_document(title, body, _STYLE)


def _describe_faulty(result: AuditResult, severity: str) -> str:
    items, others = result.count_faulty(severity)
    return count_noun(items, "item") + (f" and {count_noun(others, 'other place')}" if others else "")


def _faulty_files(result: AuditResult) -> dict[str, Item]:
    """Image files with faults that belong to no item, as items, so that they are shown too."""
    named = {fault.item: result.contents.root / fault.item for fault in result.faults}
    return {name: Item(name, (path,)) for name, path in named.items() if path.suffix.lower() in SUFFIXES}


def _to_utf8(value: Any) -> Any:
    """Text that can be written as UTF-8: file names may hold any bytes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _render_contact_sheet(contents: DatasetContents) -> Iterable[str]:
    """Items spread evenly over the data set, and how often their values occur."""
    readable = [item for item in contents.items if item.row is None]
    chosen = [readable[k * len(readable) // SHEET] for k in range(SHEET)] if len(readable) > SHEET else readable
    if not chosen:
        return
    yield f"<h2>Contact sheet</h2><p>{len(chosen)} of {count_noun(len(contents.items), 'item')}, evenly spread.</p>"
    yield '<div class="sheet">'
    values: dict[str, list[npt.NDArray[Any]]] = defaultdict(list)
    for item in chosen:
        images = _read_images(item, contents)
        for name, pixels in images.items():
            values[name].append(pixels.ravel())
        thumbnails = _render_thumbnails({name: make_thumbnail(pixels) for name, pixels in images.items()})
        caption = f"<figcaption>{escape(_to_utf8(item.name))}</figcaption>"
        yield f'<figure><div class="both">{thumbnails}</div>{caption}</figure>'
    yield '</div><div class="pictures">'
    for name, arrays in values.items():
        yield f'<figure class="chart">{_render_values(name, np.concatenate(arrays))}</figure>'
    yield "</div>"


def _render_values(name: str, values: npt.NDArray[Any]) -> str:
    """The histogram of all bands together; of other values than 8-bit ones between their 1st and 99th percentile."""
    sound = values[np.isfinite(values)]
    low, high = (
        (0.0, 256.0) if values.dtype == np.uint8 else np.percentile(sound, (1, 99)) if sound.size else (0.0, 1.0)
    )
    counts, _ = np.histogram(sound, BINS, (low, max(high, low + 1e-9)))
    return render_histogram(f"values of {name or 'the images'}", counts.tolist(), low, high)


def _render_overview(kinds: Mapping[str, Sequence[DataFault]]) -> str:
    rows = (
        f'<tr><th scope="row"><a href="#{kind}">{escape(KINDS[kind].title)}</a></th>'
        f'<td class="{KINDS[kind].severity}">{KINDS[kind].severity}</td><td class="n">{len(faults)}</td>'
        f"<td>{escape(KINDS[kind].remedy)}</td></tr>"
        for kind, faults in kinds.items()
    )
    head = '<tr><th>Fault</th><th></th><th class="n">Count</th><th>Remedy</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _render_section(
    kind: str, faults: Sequence[DataFault], contents: DatasetContents, items: Mapping[str, Item]
) -> Iterable[str]:
    """The faults of one kind: the first items with their images, the others in a table."""
    own = KINDS[kind]
    yield f'<h2 id="{kind}"><span class="{own.severity}">{len(faults)}</span> {escape(own.title.lower())}</h2>'
    yield f"<p>{escape(own.remedy)}</p>"
    shown = [fault for fault in faults if fault.item in items][:SHOWN]
    # Looking up every fault in the shown ones takes long in long lists, of which few rows are listed anyway.
    rest = [fault for fault in faults if fault not in shown] if len(faults) < 2 * LISTED else faults[SHOWN:]
    if shown:
        yield '<div class="faulty">'
        yield from (_render_faulty_item(fault, items[fault.item], contents) for fault in shown)
        yield "</div>"
    if rest:
        rows = render_table((_to_utf8(fault.item), fault.modality, _to_utf8(fault.reason)) for fault in rest[:LISTED])
        summary = f"and {len(rest)} more" if shown else count_noun(len(rest), "file")
        yield f"<details{'' if shown else ' open'}><summary>{summary}</summary>{rows}"
        if len(rest) > LISTED:
            yield f"<p>… and {len(rest) - LISTED} more in audit.json</p>"
        yield "</details>"


def _render_faulty_item(fault: DataFault, item: Item, contents: DatasetContents) -> str:
    modality = f" ({fault.modality})" if fault.modality and len(contents.modalities) > 1 else ""
    caption = f"<b>{escape(_to_utf8(item.name))}</b>{modality}<br>{escape(_to_utf8(fault.reason))}"
    return (
        f'<figure class="faulty-item"><div class="both">{_render_images(fault, item, contents)}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _render_images(fault: DataFault, item: Item, contents: DatasetContents) -> str:
    """Thumbnails of the images of an item, and of both together for a shift; nothing for rows of HDF5 files."""
    if item.row is not None:
        return ""
    thumbnails = {name: make_thumbnail(pixels) for name, pixels in _read_images(item, contents).items()}
    if fault.kind in ("misregistered", "displaced") and len(thumbnails) == 2:
        thumbnails["SAR red, optical green"] = overlay_pair(thumbnails["sar"], thumbnails["optical"])
    return _render_thumbnails(thumbnails)


def _read_images(item: Item, contents: DatasetContents) -> dict[str, npt.NDArray[Any]]:
    """The middle of each image of an item that can be read, by modality where there are several."""
    names = contents.modalities if len(item.paths) > 1 else ("",)
    images = {}
    for place, name in enumerate(names):
        with contextlib.suppress(UnreadableError):
            images[name] = read_as_audited(item, place, contents.modalities[place]).values
    return images


def _render_thumbnails(thumbnails: Mapping[str, Pixels]) -> str:
    return "".join(_render_image(name, pixels) for name, pixels in thumbnails.items())


def _render_image(name: str, pixels: Pixels) -> str:
    return f'<span>{render_image(encode_png(pixels), "")}<span class="name">{escape(name)}</span></span>'
