"""The result of an evaluation as aligned lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rsforge.recipes.evaluation.draw_spread import FINDINGS
from rsforge.recipes.evaluation.evaluation import MODEL
from rsforge.recipes.published.comparison import SECTION as PUBLISHED
from rsforge.recipes.published.comparison import list_comparison
from rsforge.recipes.verdict import list_sentences

_HEAD = (
    "checkpoint", "stage1_checkpoint", "stage2_checkpoint", "data_dir", "side", "chosen_on", "images", "patches",
    "scenes", "image_size", "steps", "strength",
    "guidance_scale", "guidance_rescale", "samples", "interval", "output_dir",
)  # fmt: skip


def table(result: Mapping[str, Any]) -> str:
    """Means with intervals by predictor and figure, with what must be known to read them; empty for a plan."""
    if "figures" not in result:
        return ""
    published = list(list_comparison(result.get(PUBLISHED)))
    parts = [*list_head(result), "", *list_rows(result), "", *([*published, ""] if published else [])]
    return "\n".join([*parts, *list_notes(result)])


def list_head(result: Mapping[str, Any]) -> Iterator[str]:
    """What was measured, a fact a line."""
    for name in _HEAD:
        if result.get(name) is not None:
            reason = f" ({result['side_reason']})" if name == "side" and result.get("side_reason") else ""
            yield f"{name:<10}  {result[name]}{reason}"


def list_rows(result: Mapping[str, Any]) -> Iterator[str]:
    """The figures, a predictor a line, and the gain."""
    kinds = list(result["figures"][MODEL])
    rows = [["", *kinds]]
    for name, figures in result["figures"].items():
        rows.append([name, *(_cell(figures.get(kind)) for kind in kinds)])
    rows.append(["gain", *(_cell(result["gain"].get(kind)) for kind in kinds)])
    rows.append(["over", *(result["gain"].get(kind, {}).get("over", "-") for kind in kinds)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(kinds) + 1)]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.5g}"
    mean, low, high, std = (value.get(name) for name in ("mean", "low", "high", "std"))
    if mean is None:
        return "-"
    if std is not None:
        return f"{mean:.4g} ± {std:.2g}"
    return f"{mean:.4g} [{low:.4g}, {high:.4g}]" if low is not None else f"{mean:.4g}"


def list_notes(result: Mapping[str, Any]) -> Iterator[str]:
    """How the figures are to be read."""
    yield "A gain above 0 is the model's, over the best of the baselines."
    for direction in ("higher", "lower"):
        names = [name for name, better in result["directions"].items() if better == direction]
        if names:
            yield f"{direction.capitalize()} is better: {', '.join(names)}."
    yield from (f"{name} is {meaning}." for name, meaning in result["baselines"].items())
    yield from (f"{sentence}." for sentence in result.get(FINDINGS, ()))
    yield from (f"Mind: {doubt}." for doubt in result["doubts"])
    yield from (f"Not measured: {name}: {reason}." for name, reason in result["absent"].items())
    yield from list_sentences(result)
