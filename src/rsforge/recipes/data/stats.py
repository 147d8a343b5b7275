"""``rsforge data stats``: what a data set holds, counted and measured."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rsforge.data.audit.faults import Seen, Span
from rsforge.data.audit.inspect_items import Exam, examine
from rsforge.data.splits.items import Holdings
from rsforge.recipes.console import Console
from rsforge.recipes.data.split import holdings_of, warn_of
from rsforge.settings.data_pairs import StatsSettings

_COUNTED = ("region", "season", "terrain", "country", "scene")
_SHOWN = 12


def measure(settings: StatsSettings, show: Console) -> dict[str, Any]:
    """Counts of what is known by name, sizes, modes and ranges of what is seen; which files cannot be read."""
    holdings = holdings_of(settings, show)
    warn_of(holdings, show)
    opened = replace(holdings, items=holdings.items[: settings.limit])
    seen: dict[str, list[Seen]] = {side: [] for side in holdings.sides}
    bad: list[str] = []
    with show.progress("opened", len(opened.items)) as meter:
        for exam in examine(opened, radiometry=None, gray=True, shifts=False):
            bad += _taken(exam, seen)
            meter.step()
    if bad:
        show.warn(f"{len(bad)} files cannot be read: {bad[0]}")
    return {
        "data_dir": str(settings.data_dir),
        "kind": holdings.kind,
        "items": len(holdings.items),
        "opened": len(opened.items),
        "orphans": len(holdings.orphans),
        "strays": len(holdings.strays),
        "unreadable": bad,
        "counts": _counts(holdings),
        "sides": {name: _figures(looks) for side in seen for name, looks in _alike(side, seen[side])},
    }


def _taken(exam: Exam, seen: dict[str, list[Seen]]) -> Iterator[str]:
    """Sort what was seen by side, and tell what could not be read."""
    yield from (f"{f.item} ({f.side}): {f.reason}" for f in exam.faults if f.kind == "corrupt")
    for side, look in zip(seen, exam.seen, strict=True):
        if look is not None:
            # Digests of every image are not needed here.
            seen[side].append(replace(look, pixels=""))


def _alike(side: str, looks: Sequence[Seen]) -> Iterator[tuple[str, list[Seen]]]:
    """What was seen of a side, apart by type of values: figures over decibels and bytes together mean nothing."""
    by_type: dict[str, list[Seen]] = defaultdict(list)
    for look in looks:
        by_type[look.dtype].append(look)
    for dtype in sorted(by_type):
        yield side if len(by_type) == 1 else f"{side} ({dtype})", by_type[dtype]


def _counts(holdings: Holdings) -> dict[str, dict[str, int]]:
    found = {}
    for what in _COUNTED:
        counted = Counter(getattr(item, what) for item in holdings.items)
        own = what == "scene" and len(counted) == len(holdings.items)
        if set(counted) != {""} and not own:
            found[what] = {value or "unknown": counted[value] for value in sorted(counted)}
    return found


def _figures(looks: Sequence[Seen]) -> dict[str, Any]:
    sizes = Counter(f"{look.height} x {look.width}" for look in looks)
    modes = Counter(f"{look.bands} {look.dtype}" for look in looks)
    sound = [look for look in looks if np.isfinite(look.whole.mean)]
    weights = np.array([look.height * look.width * look.valid for look in sound])
    return {
        "images": len(looks),
        "sizes": dict(sorted(sizes.items())),
        "modes": dict(sorted(modes.items())),
        **(_range([look.whole for look in sound], weights) if sound else {}),
        **_bands(sound, weights),
        "non_finite": sum(look.non_finite > 0 for look in looks),
        "gray": sum(look.gray for look in looks),
    }


def _range(spans: Sequence[Span], weights: Any) -> dict[str, float]:
    """The figures of many images as of one."""
    means, stds = (np.array([getattr(span, what) for span in spans]) for what in ("mean", "std"))
    mean = np.average(means, weights=weights)
    std = np.sqrt(np.average(stds**2 + (means - mean) ** 2, weights=weights))
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    return {name: float(f"{v:.6g}") for name, v in (("min", low), ("max", high), ("mean", mean), ("std", std))}


def _bands(looks: Sequence[Seen], weights: Any) -> dict[str, Any]:
    """Band by band, where all images have the same few."""
    counts = {len(look.spans) for look in looks}
    if counts == {1} or len(counts) != 1 or not all(np.isfinite(s.mean) for look in looks for s in look.spans):
        return {}
    return {f"band {k + 1}": _range([look.spans[k] for look in looks], weights) for k in range(counts.pop())}


def table(data: Mapping[str, Any]) -> str:
    """The figures as aligned lines for people."""
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    heads = {"": [(k, str(data[k])) for k in ("data_dir", "kind", "items", "opened", "orphans", "strays")]}
    heads[""].append(("unreadable", str(len(data["unreadable"]))))
    rows |= heads
    for what, counted in data["counts"].items():
        most = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        rows[what] = [(name, str(count)) for name, count in most[:_SHOWN]]
        if len(most) > _SHOWN:
            rest = sum(count for _, count in most[_SHOWN:])
            rows[what].append((f"and {len(most) - _SHOWN} more", str(rest)))
    for side, figures in data["sides"].items():
        rows[side] = [(name, _shown(value)) for name, value in figures.items()]
    rows["cannot be read"] = [(line, "") for line in data["unreadable"][:_SHOWN]]
    width = max(len(name) for lines in rows.values() for name, _ in lines)
    return "\n".join(_lines(rows, min(width, 48)))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_shown(count)}" for name, count in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    """Names of files may hold line breaks."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _lines(rows: Mapping[str, Sequence[tuple[str, str]]], width: int) -> Iterator[str]:
    for title, lines in rows.items():
        if lines:
            yield from ["", title] if title else []
            indent = "  " if title else ""
            for name, value in lines:
                yield f"{indent}{_plain(name):<{width + 4 - len(indent)}}{_plain(value)}".rstrip()
