"""``audit.html``: the faults of a data set on one page, with pictures of the offenders."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rsforge.data.audit.faults import KINDS, Fault
from rsforge.data.audit.inspect_items import read_some
from rsforge.data.audit.thumbnails import overlay, png, thumbnail
from rsforge.data.io.image_reader import SUFFIXES, UnreadableError
from rsforge.data.splits.items import Holdings, Item
from rsforge.recipes.html.page import document, table

DRAWN, LISTED = 12, 200
_STYLE = """
td.n, th.n { text-align: right; } .error { color: var(--red); } .warning { color: var(--sand); }
.offenders { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.offender { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem; margin: 0; }
.both { display: flex; gap: .5rem; } .both span { flex: 0 1 8rem; font-size: .75rem; color: var(--soft); }
.offender img { width: 100%; border-radius: .3rem; } .offender figcaption { overflow-wrap: anywhere; }
.offender b { color: var(--ink); font-weight: 600; }
"""


@dataclass(frozen=True)
class Findings:
    """What an audit found, and how many files it opened."""

    holdings: Holdings
    faults: Sequence[Fault]
    files: int
    facts: Mapping[str, Any]

    def by_kind(self) -> dict[str, list[Fault]]:
        """The faults of each kind, the gravest kinds first."""
        found: dict[str, list[Fault]] = defaultdict(list)
        for fault in self.faults:
            found[fault.kind].append(fault)
        return {kind: found[kind] for kind in KINDS if kind in found}

    def count(self, severity: str) -> int:
        return sum(fault.severity == severity for fault in self.faults)

    def offenders(self, severity: str) -> tuple[int, int]:
        """How many items have faults, and how many files, folders and tables beside them."""
        named, items = {f.item for f in self.faults if f.severity == severity}, {i.name for i in self.holdings.items}
        return len(named & items), len(named - items)


def page(findings: Findings) -> str:
    """The page as text; it needs no network, no script and no other file."""
    holdings, kinds = findings.holdings, findings.by_kind()
    items = {**_files(findings), **{item.name: item for item in holdings.items}}
    errors, warnings = findings.count("error"), findings.count("warning")
    cards = [
        (str(len(holdings.items)), f"{holdings.kind} in {findings.files} files"),
        (str(errors), f"errors in {_offenders(findings, 'error')}"),
        (str(warnings), f"warnings about {_offenders(findings, 'warning')}"),
    ]
    body = [
        f"<h1>Audit of {escape(_safe(holdings.root.resolve().name))}</h1>",
        f'<p class="lead">{"Every file was opened." if kinds else "Every file was opened; nothing is amiss."}</p>',
        '<div class="cards">',
        *(f'<div class="card"><b>{value}</b><span>{escape(what)}</span></div>' for value, what in cards),
        "</div>",
        *([_overview(kinds)] if kinds else []),
        *(part for kind, faults in kinds.items() for part in _section(kind, faults, holdings, items)),
        "<h2>What was audited</h2>",
        table((name, _safe(value)) for name, value in findings.facts.items()),
    ]
    return document(f"Audit of {_safe(holdings.root.resolve().name)}", body, _STYLE)


def _offenders(findings: Findings, severity: str) -> str:
    items, others = findings.offenders(severity)
    return f"{items} items" + (f" and {others} other places" if others else "")


def _files(findings: Findings) -> dict[str, Item]:
    """Faulty files that are no item, to be drawn all the same."""
    named = {fault.item: findings.holdings.root / fault.item for fault in findings.faults}
    return {name: Item(name, (path,)) for name, path in named.items() if path.suffix.lower() in SUFFIXES}


def _safe(value: Any) -> Any:
    """Text that can be written as UTF-8: names of files may hold any bytes."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _overview(kinds: Mapping[str, Sequence[Fault]]) -> str:
    rows = (
        f'<tr><th scope="row"><a href="#{kind}">{escape(KINDS[kind].title)}</a></th>'
        f'<td class="{KINDS[kind].severity}">{KINDS[kind].severity}</td><td class="n">{len(faults)}</td>'
        f"<td>{escape(KINDS[kind].remedy)}</td></tr>"
        for kind, faults in kinds.items()
    )
    head = '<tr><th>Fault</th><th></th><th class="n">Count</th><th>Remedy</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _section(kind: str, faults: Sequence[Fault], holdings: Holdings, items: Mapping[str, Item]) -> Iterable[str]:
    told = KINDS[kind]
    yield f'<h2 id="{kind}"><span class="{told.severity}">{len(faults)}</span> {escape(told.title.lower())}</h2>'
    yield f"<p>{escape(told.remedy)}</p>"
    drawn = [fault for fault in faults if fault.item in items][:DRAWN]
    rest = [fault for fault in faults if fault not in drawn] if len(faults) < 2 * LISTED else faults[DRAWN:]
    if drawn:
        yield '<div class="offenders">'
        yield from (_offender(fault, items[fault.item], holdings) for fault in drawn)
        yield "</div>"
    if rest:
        listed = table((_safe(fault.item), fault.side, _safe(fault.reason)) for fault in rest[:LISTED])
        what = f"and {len(rest)} more" if drawn else f"{len(rest)} files"
        yield f"<details{'' if drawn else ' open'}><summary>{what}</summary>{listed}"
        yield f"<p>… and {len(rest) - LISTED} more in audit.json</p></details>" if len(rest) > LISTED else "</details>"


def _offender(fault: Fault, item: Item, holdings: Holdings) -> str:
    side = f" ({fault.side})" if fault.side and len(holdings.sides) > 1 else ""
    caption = f"<b>{escape(_safe(item.name))}</b>{side}<br>{escape(_safe(fault.reason))}"
    return (
        f'<figure class="offender"><div class="both">{_pictures(fault, item, holdings)}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _pictures(fault: Fault, item: Item, holdings: Holdings) -> str:
    if item.row is not None:
        return ""
    shown = {}
    for side, path in zip(holdings.sides if len(item.paths) > 1 else ("",), item.paths, strict=True):
        try:
            shown[side] = thumbnail(read_some(path).values)
        except UnreadableError:
            continue
    if fault.kind in ("misregistered", "displaced") and len(shown) == 2:
        shown["SAR red, optical green"] = overlay(shown["sar"], shown["optical"])
    return "".join(
        f'<span><img alt="" src="data:image/png;base64,{base64.b64encode(png(pixels)).decode()}">{escape(name)}</span>'
        for name, pixels in shown.items()
    )
