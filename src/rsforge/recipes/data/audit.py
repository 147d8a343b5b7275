"""``rsforge data audit``: every file is opened, every fault named, and images of the faults are shown on a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rsforge import durable, leftovers
from rsforge.data.audit.baselines import find_baseline_faults
from rsforge.data.audit.faults import (
    KINDS,
    DataFault,
    find_colour_faults,
    find_duplicate_faults,
    find_overlap_faults,
    find_shift_faults,
    find_size_faults,
    find_unit_faults,
)
from rsforge.data.audit.inspect_items import Inspection, inspect_items, list_image_stats
from rsforge.data.io.dataset_card import read_card
from rsforge.data.sar.radiometry import Radiometry, declare_radiometry
from rsforge.data.splits.duplicates import data_digest, digest_items, duplicate_groups, shorten_digests
from rsforge.data.splits.items import DatasetContents, SharedPixels
from rsforge.data.splits.leaks import Leak, find_leaks
from rsforge.data.splits.split_file import SPLIT_FILE, SUBSETS, Split, load_split
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.data.split import read_contents
from rsforge.recipes.html.audit_page import AuditResult, render_page
from rsforge.recipes.output_checks import check_writable
from rsforge.recipes.shared_pixels import search_shared_pixels
from rsforge.recipes.views import view_items
from rsforge.settings.data_pairs import AuditSettings
from rsforge.wording import count_noun

JSON = "audit.json"
HTML = "audit.html"
NAMED = 4


def judge(settings: AuditSettings, console: Console) -> dict[str, Any]:
    """Open every file and write ``audit.json`` and ``audit.html``; RSF-D013 after that when there are errors."""
    contents = read_contents(settings, console, collect_problems=True)
    files = len({path for item in contents.items for path in item.paths}) + len(contents.orphans)
    output = settings.output_dir or settings.data_dir
    check_writable(output, JSON, "--output-dir")
    head = {"kind": contents.kind, "items": len(contents.items), "files": files}
    if console.dry_run:
        return {**head, "would_write": [str(output / name) for name in (JSON, HTML)]}
    output.mkdir(parents=True, exist_ok=True)
    contents = view_items(contents, settings, console)
    inspections: list[Inspection] = []
    radiometry = _find_radiometry(settings)
    with console.progress("opened", len(contents.items)) as meter:
        for inspection in inspect_items(contents, radiometry=radiometry, gray=settings.allow_gray_optical):
            inspections.append(inspection)
            meter.step()
    faults = sorted(_find_faults(settings, contents, inspections, console), key=_sort_key)
    facts = {"data": str(settings.data_dir), **head, "pairs with a sure shift": _count_conclusive(inspections)}
    result = AuditResult(contents, faults, files, facts)
    _write_results(output, result, head, inspections)
    summary = {**head, **_count_faults(result), "audit": str(output / JSON), "page": str(output / HTML)}
    if result.count("error"):
        raise _faults_error(result, output, summary)
    return summary


def _find_radiometry(settings: AuditSettings) -> Radiometry | None:
    """The radiometry of SAR values that the options or the card of the data set declare."""
    if settings.radiometry != "auto":
        return declare_radiometry(settings.radiometry, settings.clip, 1.0)
    stored = read_card(settings.data_dir).get("radiometry")
    return Radiometry.from_dict(stored, where=str(settings.data_dir)) if stored else None


def _find_faults(
    settings: AuditSettings, contents: DatasetContents, inspections: Sequence[Inspection], console: Console
) -> list[DataFault]:
    faults = [fault for inspection in inspections for fault in inspection.faults]
    faults += [DataFault("orphan", name, reason) for name, reason in contents.orphans]
    faults += [DataFault(_kind_of_problem(contents.root, name), name, reason) for name, reason in contents.problems]
    kind = "untold" if contents.kind == "pairs" else "unread"
    faults += [DataFault(kind, name, reason) for name, reason in contents.warnings]
    faults += [DataFault("stray", name, "no item holds it") for name in contents.unclaimed_files]
    measured = list(list_image_stats(contents, inspections))
    if contents.kind == "pairs" or settings.image_size:
        sizes = {(item, modality): (stats.height, stats.width) for item, modality, stats in measured}
        known = {fault.item for fault in faults if fault.kind == "size"}
        size_faults = find_size_faults(sizes, settings.image_size)
        faults += [fault for fault in size_faults if fault.item not in known]
    # Empty and constant images are faults already, and equal to others without a reason.
    varied = [(item, modality, stats) for item, modality, stats in measured if stats.valid and not stats.constant]
    faults += find_duplicate_faults((item, modality, stats.pixel_digest) for item, modality, stats in varied)
    pixels = {one.item.name: [stats.pixel_digest for stats in one.stats if stats] for one in inspections}
    shared = search_shared_pixels(contents.items, pixels, console, wanted=settings.overlap_by_content)
    faults += find_overlap_faults(shared)
    faults += find_baseline_faults(varied)
    if contents.kind == "pairs":
        faults += find_unit_faults((item, stats) for item, modality, stats in varied if modality == "sar")
        if settings.allow_gray_optical:
            faults += find_colour_faults((item, stats) for item, modality, stats in varied if modality == "optical")
    shifts = {one.item.name: one.shift for one in inspections if one.shift is not None}
    faults += find_shift_faults(shifts, settings.max_shift)
    path = settings.split or settings.data_dir / SPLIT_FILE
    if settings.split or path.is_file():
        faults += _find_split_faults(path, contents, shared, console)
    elif contents.sides:
        faults += _find_stated_leaks(contents, pixels, shared)
    return faults


def _kind_of_problem(root: Path, name: str) -> str:
    """The kind of fault of a problem that was found before any file was opened: in a table, a folder, or two grids."""
    if ".csv" in name or ".jsonl" in name:
        return "table"
    return "orphan" if (root / name).is_dir() else "grid"


def _find_split_faults(
    path: Path, contents: DatasetContents, shared: Sequence[SharedPixels], console: Console
) -> list[DataFault]:
    """The leaks of a stored split, or the one fault that it does not fit the data."""
    try:
        split = load_split(path)
        split.check(item.name for item in contents.items)
        with console.progress("hashed", len(contents.items)) as meter:
            digests = digest_items(contents.items, meter.step)
        split.check_contents(data_digest(digests), shorten_digests(digests))
    except RsforgeError as error:
        if error.code != "RSF-D012":
            raise
        return [DataFault("split", path.name, f"{error.what}: {error.found}")]
    duplicates = duplicate_groups(contents.items, digests)
    guard = split.facts.get("guard", 0)
    leaks = find_leaks(split, contents.items, duplicates, shared=shared, guard=guard)
    return [_describe_leak(leak) for leak in leaks]


def _find_stated_leaks(
    contents: DatasetContents, pixels: Mapping[str, Sequence[str]], shared: Sequence[SharedPixels]
) -> list[DataFault]:
    """Images on several of the sides that the source states, by their pixels; of one scene both sides may be."""
    split = Split("stated", 0, {side: [i.name for i in contents.items if i.side == side] for side in SUBSETS})
    items = [item for item in contents.items if len(pixels.get(item.name, ())) == len(item.paths)]
    duplicates = duplicate_groups(items, {item.name: tuple(pixels[item.name]) for item in items})
    leaks = find_leaks(split, items, duplicates, shared=shared)
    return [_describe_leak(leak) for leak in leaks if leak.kind != "scene"]


def _describe_leak(leak: Leak) -> DataFault:
    (name, other), (subset, other_subset) = leak.names, leak.subsets
    reason = f"on {subset}, and {other} on {other_subset}: {leak.reason}"
    return DataFault("leak", name, reason, "", {"kind": leak.kind})


def _sort_key(fault: DataFault) -> tuple[int, str, str]:
    return list(KINDS).index(fault.kind), fault.item, fault.modality


def _count_conclusive(inspections: Sequence[Inspection]) -> str:
    shifts = [one.shift for one in inspections if one.shift is not None]
    return f"{sum(shift.conclusive for shift in shifts)} of {len(shifts)}"


def _count_faults(result: AuditResult) -> dict[str, Any]:
    counts = {kind: len(faults) for kind, faults in result.by_kind().items()}
    return {"errors": result.count("error"), "warnings": result.count("warning"), "counts": counts}


def _write_results(output: Path, result: AuditResult, head: dict[str, Any], inspections: Sequence[Inspection]) -> None:
    shifts = {}
    for one in sorted(inspections, key=lambda one: one.item.name):
        if one.shift is not None:
            shifts[one.item.name] = {name: round(value, 2) for name, value in vars(one.shift).items()}
    record = {
        "format": "rsforge-audit",
        "version": 1,
        **head,
        **_count_faults(result),
        "faults": [fault.as_dict() for fault in result.faults],
        "shifts": shifts,
    }
    leftovers.sweep_for([output / HTML, output / JSON])
    durable.write_text(output / HTML, render_page(result))
    durable.write_text(output / JSON, json.dumps(record, indent=1) + "\n")


def _faults_error(result: AuditResult, output: Path, summary: dict[str, Any]) -> RsforgeError:
    """RSF-D013 with the number of errors, the first of each kind, and the remedy of the commonest kind."""
    items, others = result.count_faulty("error")
    what = f"{count_noun(result.count('error'), 'fault')} in {items} of {len(result.contents.items)} "
    what += result.contents.kind
    if others:
        what += f" and {count_noun(others, 'other place')}"
    kinds = [
        f"{len(faults)} {kind} ({faults[0].item}: {faults[0].reason})"
        for kind, faults in result.by_kind().items()
        if KINDS[kind].severity == "error"
    ]
    errors = Counter(fault.kind for fault in result.faults if fault.severity == "error")
    commonest = errors.most_common(1)[0][0]
    found = "; ".join(kinds[:NAMED])
    if len(kinds) > NAMED:
        found += f"; and of {len(kinds) - NAMED} kinds more"
    return RsforgeError(
        "RSF-D013",
        what,
        where=str(result.contents.root),
        found=found,
        kept=f"{output / JSON} names them all",
        fix=f"open {output / HTML}; for what is {KINDS[commonest].title.lower()}: {KINDS[commonest].remedy}",
        result=summary,
    )
