"""``rsforge data stats``: counts and statistics of a data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rsforge.data.audit.image_stats import ImageStats, ValueRange
from rsforge.data.audit.inspect_items import Inspection, inspect_items
from rsforge.data.splits.items import DatasetContents
from rsforge.recipes.console import Console
from rsforge.recipes.data.split import read_contents, warn_of_problems
from rsforge.recipes.views import view_items
from rsforge.settings.data_pairs import StatsSettings
from rsforge.wording import count_noun

_COUNTED = ("region", "season", "terrain", "country", "scene")
_LISTED = 12


def measure(settings: StatsSettings, console: Console) -> dict[str, Any]:
    """Counts of what names and tables say, sizes, dtypes and ranges of the images, and which files cannot be read."""
    contents = view_items(read_contents(settings, console), settings, console)
    warn_of_problems(contents, console)
    opened = replace(contents, items=contents.items[: settings.limit])
    stats: dict[str, list[ImageStats]] = {modality: [] for modality in contents.modalities}
    unreadable: list[str] = []
    with console.progress("opened", len(opened.items)) as meter:
        for inspection in inspect_items(opened, radiometry=None, gray=True, shifts=False):
            unreadable += _collect_stats(inspection, stats)
            meter.step()
    if unreadable:
        console.warn(f"{count_noun(len(unreadable), 'file')} cannot be read: {unreadable[0]}")
    images = {}
    for modality in stats:
        for name, group in _group_by_dtype(modality, stats[modality]):
            images[name] = _summarise_images(group)
    return {
        "data_dir": str(settings.data_dir),
        "kind": contents.kind,
        "items": len(contents.items),
        "opened": len(opened.items),
        "orphans": len(contents.orphans),
        "strays": len(contents.unclaimed_files),
        "unreadable": unreadable,
        "counts": _count_values(contents),
        "sides": images,
    }


def _collect_stats(inspection: Inspection, stats: dict[str, list[ImageStats]]) -> list[str]:
    """Add the statistics of an item to those of each modality; returns the images that cannot be read."""
    for modality, own in zip(stats, inspection.stats, strict=True):
        if own is not None:
            # The digests of all pixels would only take memory here.
            stats[modality].append(replace(own, pixel_digest=""))
    unreadable = [fault for fault in inspection.faults if fault.kind == "corrupt"]
    return [f"{fault.item} ({fault.modality}): {fault.reason}" for fault in unreadable]


def _group_by_dtype(modality: str, stats: Sequence[ImageStats]) -> Iterator[tuple[str, list[ImageStats]]]:
    """The images of a modality by dtype: a mean over decibels and bytes would mean nothing."""
    groups: dict[str, list[ImageStats]] = defaultdict(list)
    for own in stats:
        groups[own.dtype].append(own)
    for dtype in sorted(groups):
        yield modality if len(groups) == 1 else f"{modality} ({dtype})", groups[dtype]


def _count_values(contents: DatasetContents) -> dict[str, dict[str, int]]:
    """The number of items with each value, of every known property; scenes only where some hold several items."""
    result = {}
    for name in _COUNTED:
        counts = Counter(getattr(item, name) for item in contents.items)
        is_unknown = set(counts) == {""}
        all_different = name == "scene" and len(counts) == len(contents.items)
        if not is_unknown and not all_different:
            result[name] = {value or "unknown": counts[value] for value in sorted(counts)}
    return result


def _summarise_images(stats: Sequence[ImageStats]) -> dict[str, Any]:
    sizes = Counter(f"{own.height} x {own.width}" for own in stats)
    modes = Counter(f"{own.bands} {own.dtype}" for own in stats)
    filled = [own for own in stats if np.isfinite(own.overall.mean)]
    weights = np.array([own.height * own.width * own.valid for own in filled])
    summary: dict[str, Any] = {
        "images": len(stats),
        "sizes": dict(sorted(sizes.items())),
        "modes": dict(sorted(modes.items())),
    }
    if filled:
        summary |= _merge_ranges([own.overall for own in filled], weights)
    summary |= _summarise_bands(filled, weights)
    summary["non_finite"] = sum(own.non_finite > 0 for own in stats)
    summary["gray"] = sum(own.gray for own in stats)
    return summary


def _merge_ranges(ranges: Sequence[ValueRange], weights: Any) -> dict[str, float]:
    """The range, mean and standard deviation of all values of several images, weighted by their valid pixels.

    The variance is the mean of the variances plus the variance of the means (law of total variance).
    """
    means = np.array([own.mean for own in ranges])
    stds = np.array([own.std for own in ranges])
    mean = np.average(means, weights=weights)
    std = np.sqrt(np.average(stds**2 + (means - mean) ** 2, weights=weights))
    merged = {
        "min": min(own.low for own in ranges),
        "max": max(own.high for own in ranges),
        "mean": mean,
        "std": std,
    }
    return {name: float(f"{value:.6g}") for name, value in merged.items()}


def _summarise_bands(stats: Sequence[ImageStats], weights: Any) -> dict[str, Any]:
    """The ranges of each band, where all images have the same number of several bands."""
    counts = {len(own.band_ranges) for own in stats}
    if len(counts) != 1 or counts == {1}:
        return {}
    if not all(np.isfinite(band.mean) for own in stats for band in own.band_ranges):
        return {}
    bands = range(counts.pop())
    return {f"band {k + 1}": _merge_ranges([own.band_ranges[k] for own in stats], weights) for k in bands}


def render_table(data: Mapping[str, Any]) -> str:
    """The result of ``measure`` as aligned lines of text."""
    rows: dict[str, list[tuple[str, str]]] = {}
    rows[""] = [(key, str(data[key])) for key in ("data_dir", "kind", "items", "opened", "orphans", "strays")]
    rows[""].append(("unreadable", str(len(data["unreadable"]))))
    for name, counts in data["counts"].items():
        rows[name] = _list_counts(counts)
    for name, figures in data["sides"].items():
        rows[name] = [(figure, _format_value(value)) for figure, value in figures.items()]
    rows["cannot be read"] = [(line, "") for line in data["unreadable"][:_LISTED]]
    width = max(len(name) for lines in rows.values() for name, _ in lines)
    return "\n".join(_align(rows, min(width, 48)))


def _list_counts(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """The most frequent values, and the sum of the others."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [(value, str(count)) for value, count in ordered[:_LISTED]]
    if len(ordered) > _LISTED:
        rest = sum(count for _, count in ordered[_LISTED:])
        lines.append((f"and {len(ordered) - _LISTED} more", str(rest)))
    return lines


def _format_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_format_value(count)}" for name, count in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _escape(text: str) -> str:
    """``text`` with escapes for line breaks and other control characters, which file names may hold."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _align(rows: Mapping[str, Sequence[tuple[str, str]]], width: int) -> Iterator[str]:
    for title, lines in rows.items():
        if not lines:
            continue
        indent = ""
        if title:
            yield ""
            yield title
            indent = "  "
        for name, value in lines:
            yield f"{indent}{_escape(name):<{width + 4 - len(indent)}}{_escape(value)}".rstrip()
