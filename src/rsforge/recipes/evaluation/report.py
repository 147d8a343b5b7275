"""What an evaluation says: means with intervals, a table for people, files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from rsforge import durable
from rsforge.data.io.image_writer import to_uint8
from rsforge.errors import RsforgeError
from rsforge.metrics.bootstrap import mean_intervals
from rsforge.recipes.output_checks import check_makeable

PREDICTORS = ("model", "copy_sar", "mean_colour")
HIGHER = ("psnr_db", "ssim")
FILES = ("evaluation.json", "per_image.csv", "examples.png")
SHOWN_ERROR = 0.5

_SCENES, _FEW = 5, 20


def groups_of(scenes: Sequence[str]) -> tuple[Sequence[Any], str, str]:
    """What a bootstrap draws for each image, what that is, and a doubt: whole scenes where five or more are known.

    An image of unknown scene stands for itself.
    """
    known = len(set(scenes) - {""})
    if known < _SCENES:
        told = f"{known or 'no'} scene{'s are' if known != 1 else ' is'} known"
        doubt = f"{told}: intervals are over single images, and too narrow as images of one scene are alike"
        return range(len(scenes)), f"{len(scenes)} images", doubt
    groups = [scene or k for k, scene in enumerate(scenes)]
    what = f"{len(set(groups))} scenes"
    return groups, what, f"an interval over only {what} is too narrow" if len(set(groups)) < _FEW else ""


def number(value: float) -> float | None:
    """Six digits; None for what is no number."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def summed(
    values: Mapping[str, Mapping[str, Any]], groups: Sequence[Any], *, resamples: int, confidence: float, seed: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Mean and interval of each figure, and of what the model gains over the better baseline, image by image.

    A gain above 0 is the model's, for every figure.
    """
    columns = {(name, figure): v for name, figures in values.items() for figure, v in figures.items()}
    over = {figure: _best(values, figure) for figure in values["model"]}
    for figure, baseline in over.items():
        difference = values["model"][figure] - values[baseline][figure]
        columns["gain", figure] = difference if figure in HIGHER else -difference
    matrix = np.stack(list(columns.values()), axis=1)
    intervals = mean_intervals(matrix, groups, resamples=resamples, confidence=confidence, seed=seed)
    found: dict[str, dict[str, Any]] = {}
    for (name, figure), mean, (low, high) in zip(columns, matrix.mean(0), intervals, strict=True):
        found.setdefault(name, {})[figure] = {"mean": number(mean), "low": number(low), "high": number(high)}
    gain = found.pop("gain")
    return found, {figure: {"over": over[figure], **gain[figure]} for figure in gain}


def _best(values: Mapping[str, Mapping[str, Any]], figure: str) -> str:
    sign = 1 if figure in HIGHER else -1
    return max(PREDICTORS[1:], key=lambda name: sign * values[name][figure].mean())


def examples(errors: Any) -> dict[str, int]:
    """The places of the best, the median and the worst image; fewer where there are fewer."""
    order = np.argsort(errors, kind="stable").tolist()
    chosen: dict[str, int] = {}
    for label, k in (("best", order[0]), ("worst", order[-1]), ("median", order[(len(order) - 1) // 2])):
        if k not in chosen.values():
            chosen[label] = k
    return {label: chosen[label] for label in ("best", "median", "worst") if label in chosen}


def rows(names: Sequence[str], scenes: Sequence[str], figures: Mapping[str, Any]) -> str:
    """The table of all images, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("l1", "psnr_db", "ssim", "lpips")
    writer.writerow(("name", "scene", *columns))
    for k, (name, scene) in enumerate(zip(names, scenes, strict=True)):
        writer.writerow((name, scene, *(number(figures[c][k]) if c in figures else "" for c in columns)))
    return text.getvalue()


def check_output(place: Path | None, *, overwrite: bool) -> None:
    """RSF-U004 where an earlier evaluation lies and may not be replaced; RSF-E002 or RSF-E008 where none can be."""
    if place is None:
        return
    check_makeable(place, "the evaluation", "--output-dir")
    there = [name for name in FILES if (place / name).exists()]
    if there and not overwrite:
        what, fix = f"{place} holds an evaluation", "replace it with --overwrite, or name another --output-dir"
        raise RsforgeError("RSF-U004", what, where="--output-dir", found=", ".join(there), fix=fix)


def write(
    place: Path, result: Mapping[str, Any], csv_text: str, shown: Sequence[tuple[str, Tensor, Tensor, Tensor]], *,
    overwrite: bool,
) -> None:  # fmt: skip
    """Picture and tables, ``evaluation.json`` last: where it is there, the others belong to it."""
    with durable.locked(place):
        durable.sweep_for(place / name for name in FILES)
        check_output(place, overwrite=overwrite)
        for name in FILES:
            (place / name).unlink(missing_ok=True)
        _draw(place / "examples.png", shown)
        durable.write_text(place / "per_image.csv", csv_text)
        durable.write_json(place / "evaluation.json", result)


def _draw(path: Path, shown: Sequence[tuple[str, Tensor, Tensor, Tensor]]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.1 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(shown), 4, squeeze=False)
    for line, (label, sar, optical, y) in zip(panels, shown, strict=True):
        line[0].set_ylabel(label)
        for axes, image in zip(line, (sar, optical, y), strict=False):
            axes.imshow(to_uint8(image[None])[0])
        error = line[3].imshow((y - optical).abs().mean(0).numpy(), vmin=0, vmax=SHOWN_ERROR, cmap="magma")
    for axes, title in zip(panels[0], ("SAR", "optical", "translation", "absolute error of [-1, 1]"), strict=True):
        axes.set_title(title)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    figure.colorbar(error, ax=panels[:, 3], extend="max")
    with durable.replacing(path) as file:
        figure.savefig(file, format="png", dpi=100)


def table(result: Mapping[str, Any]) -> str:
    """The result as aligned lines for people."""
    if "figures" not in result:
        return ""
    kinds = list(result["figures"]["model"])
    body = [["", *kinds]]
    for name, figures in result["figures"].items():
        body.append([name, *(_cell(figures[kind]) for kind in kinds)])
    body.append(["gain", *(_cell(result["gain"].get(kind)) for kind in kinds)])
    body.append(["over", *(result["gain"].get(kind, {}).get("over", "-") for kind in kinds)])
    widths = [max(len(line[k]) for line in body) for k in range(len(kinds) + 1)]
    told = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in body]
    return "\n".join([*_head(result), "", *told, *_foot(result)])


def _head(result: Mapping[str, Any]) -> Iterator[str]:
    for name in ("checkpoint", "data_dir", "side", "images", "scenes", "image_size", "interval", "output_dir"):
        if name in result:
            yield f"{name:<10}  {result[name]}"


def _foot(result: Mapping[str, Any]) -> Iterator[str]:
    yield from ["", "A gain above 0 is the model's, over the better of the two baselines."]
    yield f"mean_colour is that of {result['mean_colour_of']}, which is harder to beat than that of others."
    yield from (f"Mind: {doubt}." for doubt in _doubts(result))
    for name, reason in result["absent"].items():
        yield f"Not measured: {name}: {reason}."


def _doubts(result: Mapping[str, Any]) -> Iterator[str]:
    trained, images, scaled, side = (result[name] for name in ("trained_on", "images", "scaled", "image_size"))
    if trained is None:
        yield "whether these were trained on cannot be told"
    elif trained:
        yield f"{trained} of these {images} pairs were trained on"
    if scaled:
        yield f"{scaled} of {images} pairs were scaled to {side} px; translate works at full size"
    yield from (result[name] for name in ("interval_warning", "fid_warning", "kid_warning") if result.get(name))


def _cell(value: Any) -> str:
    if value is None or isinstance(value, float):
        return "-" if value is None else f"{value:.5g}"
    mean, low, high, std = (value.get(name) for name in ("mean", "low", "high", "std"))
    if mean is None:
        return "-"
    spread = f" ± {std:.2g}" if std is not None else f" [{low:.4g}, {high:.4g}]" if low is not None else ""
    return f"{mean:.4g}{spread}"
