"""Figures of an evaluation beside published ones: only what was measured alike, and why the rest was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from rsforge.data.files.digests import json_digest
from rsforge.recipes.published.benchmarks import Benchmark, Metric, read_benchmarks

SECTION = "published"
"""Where a result holds what ``compare_published`` returns."""
NAMES = "names_digest"
WORDS = {
    "trained_on": "images that the model was trained on",
    "scaled": "scaled images",
    "psnr_peak": "peak of PSNR",
    NAMES: "digest of the names of the measured pairs",
}


def compare_published(
    name: str, task: str, facts: Mapping[str, Any], figures: Mapping[str, Any], *, names: Sequence[str] = ()
) -> dict[str, Any]:
    """The figures of a model beside those of the benchmark ``name``.

    ``facts`` are what the result says of its protocol, ``figures`` those of the model, ``names`` what was measured.
    ``comparable`` holds our figure and the published ones by metric, ``not_comparable`` reasons by metric, and
    ``protocol`` in what the whole evaluation is another: then nothing is comparable.
    """
    benchmark = read_benchmarks()[name]
    common = list_differences(benchmark, task, {**facts, NAMES: json_digest(sorted(names))})
    comparable, others = {}, {}
    for metric, how in benchmark.metrics.items():
        reasons = [*_list_reasons(how, figures), *(["the protocol differs"] if common else [])]
        if reasons:
            others[metric] = reasons
        else:
            published = {who: row[metric] for who, row in benchmark.methods.items() if metric in row}
            comparable[metric] = {"figure": how.figure, "here": figures[how.figure], "published": published}
    return {**benchmark.describe(), "protocol": common, "comparable": comparable, "not_comparable": others}


def list_differences(benchmark: Benchmark, task: str, facts: Mapping[str, Any]) -> list[str]:
    """In what the protocol of an evaluation is another than that of the benchmark."""
    if task != benchmark.task:
        return [f"{task or 'another task'} here, {benchmark.task} there"]
    return [
        f"{WORDS.get(name, name)} {_spell(name, facts.get(name))} here, {_spell(name, wanted)} there"
        for name, wanted in benchmark.protocol.items()
        if facts.get(name) != wanted
    ]


def _spell(name: str, value: Any) -> str:
    if value is None:
        return "unknown"
    return str(value)[:12] if name == NAMES else str(value)


def _list_reasons(how: Metric, figures: Mapping[str, Any]) -> list[str]:
    """Why one figure is not comparable, whatever the protocol."""
    if not how.figure:
        return ["no figure of this evaluation"]
    if how.differs:
        return [how.differs]
    return [] if _middle(figures.get(how.figure)) is not None else ["not measured here"]


def _middle(row: Any) -> float | None:
    value = row.get("mean") if isinstance(row, Mapping) else row
    return float(value) if isinstance(value, int | float) else None


def list_comparison(section: Mapping[str, Any] | None) -> Iterator[str]:
    """The comparison as lines for people; none where there is no ``section``."""
    if section is None:
        return
    yield f"Published figures {section['name']}: {section['data']}, {section['split']}."
    yield f"Source: {section['source']}, {section['year']}."
    yield f"Of these: {section['note']}."
    if section["comparable"]:
        yield "That the images are those of the source is taken from --compare-published, and is not checked."
        yield from _list_rows(section["comparable"])
    else:
        yield "Nothing of it is comparable with this evaluation."
    yield from (f"The protocol differs: {reason}." for reason in section["protocol"])
    yield from (f"Not comparable: {name}: {'; '.join(why)}." for name, why in section["not_comparable"].items())


def render_comparison(section: Mapping[str, Any] | None) -> list[str]:
    """The comparison as the parts of a page; none where there is no ``section``."""
    lines = "\n".join(list_comparison(section))
    return ["<h2>Published figures</h2>", f'<pre class="published">{escape(lines)}</pre>'] if lines else []


def _list_rows(comparable: Mapping[str, Any]) -> Iterator[str]:
    methods = list(dict.fromkeys(who for one in comparable.values() for who in one["published"]))
    rows = [["", *comparable], ["this model", *(_cell(_middle(one["here"])) for one in comparable.values())]]
    rows += [[who, *(_cell(one["published"].get(who)) for one in comparable.values())] for who in methods]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
