"""``rsforge data audit``: every file opened, every fault named, the offenders drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rsforge import durable
from rsforge.data.audit.faults import (
    KINDS,
    Fault,
    colour_faults,
    duplicate_faults,
    shift_faults,
    size_faults,
    unit_faults,
)
from rsforge.data.audit.inspect_items import Exam, examine, seen_sides
from rsforge.data.io.dataset_card import read_card
from rsforge.data.sar.radiometry import Radiometry, declared
from rsforge.data.splits.duplicates import brief, data_digest, digests, twins
from rsforge.data.splits.items import Holdings
from rsforge.data.splits.leaks import leaks
from rsforge.data.splits.split_file import SPLIT_FILE, load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.data.audit_html import Findings, page
from rsforge.recipes.data.split import holdings_of
from rsforge.recipes.output_checks import check_writable
from rsforge.settings.data_pairs import AuditSettings

JSON, HTML = "audit.json", "audit.html"
NAMED = 4


def judge(settings: AuditSettings, show: Console) -> dict[str, Any]:
    """Open every file, write ``audit.json`` and ``audit.html``; RSF-D013 after that when there are errors."""
    holdings = holdings_of(settings, show, judged=True)
    files = len({path for item in holdings.items for path in item.paths}) + len(holdings.orphans)
    place = settings.output_dir or settings.data_dir
    check_writable(place, JSON, "--output-dir")
    head = {"kind": holdings.kind, "items": len(holdings.items), "files": files}
    if show.dry_run:
        return {**head, "would_write": [str(place / name) for name in (JSON, HTML)]}
    place.mkdir(parents=True, exist_ok=True)
    with show.progress("opened", len(holdings.items)) as meter:
        exams = []
        for exam in examine(holdings, radiometry=_declared(settings), gray=settings.allow_gray_optical):
            exams.append(exam)
            meter.step()
    faults = sorted(_faults(settings, holdings, exams, show), key=_order)
    shown = {"data": str(settings.data_dir), **head, "pairs with a sure shift": _sure(exams)}
    findings = Findings(holdings, faults, files, shown)
    _write(place, findings, head, exams)
    result = {**head, **_counts(findings), "audit": str(place / JSON), "page": str(place / HTML)}
    if findings.count("error"):
        raise _refusal(findings, place, result)
    return result


def _declared(settings: AuditSettings) -> Radiometry | None:
    """What the user or the data set's card says the SAR values are."""
    if settings.radiometry != "auto":
        return declared(settings.radiometry, settings.clip, 1.0)
    said = read_card(settings.data_dir).get("radiometry")
    return Radiometry.from_dict(said, where=str(settings.data_dir)) if said else None


def _faults(settings: AuditSettings, holdings: Holdings, exams: Sequence[Exam], show: Console) -> list[Fault]:
    names = {item.name for item in holdings.items}
    found = [fault for exam in exams for fault in exam.faults]
    found += [Fault("orphan", name, reason) for name, reason in holdings.orphans]
    found += [Fault(_problem(holdings.root, name), name, reason) for name, reason in holdings.problems]
    found += [Fault("untold", name, reason) for name, reason in holdings.doubts]
    found += [Fault("stray", name, "no item holds it") for name in holdings.strays]
    seen = list(seen_sides(holdings, exams))
    shown = [(item, side, look) for item, side, look in seen if look.valid and not look.constant]
    if holdings.kind == "pairs" or settings.image_size:
        sizes = {(item, side): (look.height, look.width) for item, side, look in seen}
        odd = {fault.item for fault in found if fault.kind == "size"}
        found += (f for f in size_faults(sizes, settings.image_size) if f.item not in odd)
    found += duplicate_faults((item, side, look.pixels) for item, side, look in shown)
    if holdings.kind == "pairs":
        found += unit_faults((item, look) for item, side, look in shown if side == "sar")
        if settings.allow_gray_optical:
            found += colour_faults((item, look) for item, side, look in shown if side == "optical")
    shifts = {exam.item.name: exam.shift for exam in exams if exam.shift is not None}
    found += shift_faults(shifts, settings.max_shift)
    path = settings.split or settings.data_dir / SPLIT_FILE
    if settings.split or path.is_file():
        found += _split_faults(path, holdings, names, show)
    return found


def _problem(root: Path, name: str) -> str:
    """The kind of what was found amiss before any file was opened, in a table, a folder, or between two grids."""
    if ".csv" in name or ".jsonl" in name:
        return "table"
    return "orphan" if (root / name).is_dir() else "grid"


def _split_faults(path: Path, holdings: Holdings, names: set[str], show: Console) -> list[Fault]:
    try:
        split = load_split(path)
        split.check(names)
        with show.progress("hashed", len(holdings.items)) as meter:
            found = digests(holdings.items, meter.step)
        same = twins(holdings.items, found)
        parted = leaks(split, holdings.items, same, guard=split.facts.get("guard", 0))
        faults = [
            Fault("leak", a, f"on {on}, and {b} on {other}: {leak.reason}", "", {"kind": leak.kind})
            for leak in parted
            for (a, b), (on, other) in [(leak.names, leak.sides)]
        ]
        split.check_contents(data_digest(found), brief(found))
    except RsforgeError as error:
        if error.code != "RSF-D012":
            raise
        return [Fault("split", path.name, f"{error.what}: {error.found}")]
    return faults


def _order(fault: Fault) -> tuple[int, str, str]:
    return list(KINDS).index(fault.kind), fault.item, fault.side


def _sure(exams: Sequence[Exam]) -> str:
    shifts = [exam.shift for exam in exams if exam.shift is not None]
    return f"{sum(s.conclusive for s in shifts)} of {len(shifts)}"


def _counts(findings: Findings) -> dict[str, Any]:
    counts = {kind: len(faults) for kind, faults in findings.by_kind().items()}
    return {"errors": findings.count("error"), "warnings": findings.count("warning"), "counts": counts}


def _write(place: Path, findings: Findings, head: dict[str, Any], exams: Sequence[Exam]) -> None:
    shifts = {e.item.name: {k: round(v, 2) for k, v in vars(e.shift).items()} for e in exams if e.shift is not None}
    record = {
        "format": "rsforge-audit",
        "version": 1,
        **head,
        **_counts(findings),
        "faults": [fault.as_dict() for fault in findings.faults],
        "shifts": dict(sorted(shifts.items())),
    }
    durable.write_text(place / HTML, page(findings))
    durable.write_text(place / JSON, json.dumps(record, indent=1) + "\n")


def _refusal(findings: Findings, place: Path, result: dict[str, Any]) -> RsforgeError:
    errors, total = findings.count("error"), len(findings.holdings.items)
    items, others = findings.offenders("error")
    kinds = {kind: faults for kind, faults in findings.by_kind().items() if KINDS[kind].severity == "error"}
    told = [f"{len(faults)} {kind} ({faults[0].item}: {faults[0].reason})" for kind, faults in kinds.items()]
    told[NAMED:] = [f"and of {len(told) - NAMED} kinds more"] if len(told) > NAMED else []
    return RsforgeError(
        "RSF-D013",
        f"{errors} fault{'s' * (errors != 1)} in {items} of {total} {findings.holdings.kind}"
        + (f" and {others} other place{'s' * (others != 1)}" if others else ""),
        where=str(findings.holdings.root),
        found="; ".join(told),
        kept=f"{place / JSON} names them all",
        fix=f"open {place / HTML}; repair or remove what it names",
        result=result,
    )
