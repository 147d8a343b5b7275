"""An evaluation from a dataset to its result, its warnings and its files, alike for every method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.images.gaps import find_with_data, stack_valid
from rsforge.data.io.threads import map_in_threads
from rsforge.engine.loader import IndexedDataset, to_device
from rsforge.errors import RsforgeError
from rsforge.losses.gaps import VALID
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Evaluation, Figure, Values
from rsforge.recipes.evaluation.summary import Bootstrap, bootstrap_groups, rank_examples, summarize
from rsforge.recipes.published.comparison import SECTION as PUBLISHED
from rsforge.recipes.published.comparison import compare_published
from rsforge.recipes.published.definitions import define_figures
from rsforge.recipes.selected_items import SelectedItems
from rsforge.recipes.verdict import KEY, compare_with_best, require_better
from rsforge.seeds import derive
from rsforge.settings.evaluation import MeasuringSettings
from rsforge.wording import count_noun


@dataclass(frozen=True)
class EvaluationSet:
    """What is measured: samples and the scene of each, empty where unknown; ``doubts`` are printed with the figures."""

    samples: IndexedDataset
    scenes: Sequence[str]
    doubts: Sequence[str] = field(default_factory=tuple)


def plan_evaluation(facts: Mapping[str, Any], absent: Mapping[str, str], settings: MeasuringSettings) -> dict[str, Any]:
    """The result of a dry run."""
    return {**facts, "absent": dict(absent), "output_dir": str(settings.output_dir or "nothing is written")}


@torch.no_grad()
def run_evaluation(
    evaluation: Evaluation,
    data: EvaluationSet,
    facts: Mapping[str, Any],
    absent: Mapping[str, str],
    settings: MeasuringSettings,
    console: Console,
    *,
    batch_size: int,
    device: torch.device,
) -> dict[str, Any]:
    """``facts`` and the figures of every predictor with intervals; written where the settings name a folder.

    ``absent`` says why figures are not measured, by name. Samples that hold no data are left out. RSF-T005 where the
    settings ask for it and the model is not better than its baselines.
    """
    data = leave_out_empty(data, console)
    facts = {**facts, **{name: count for name, count in count_measured(data).items() if name in facts}}
    values = measure(evaluation, data.samples, console, batch_size=batch_size, device=device)
    result = {**facts, **_describe(evaluation), **_summarize(evaluation, values, data, settings, console)}
    result["absent"] = dict(absent)
    doubts = [*data.doubts, *filter(None, [result["interval_warning"]])]
    for part in evaluation.of_set:
        warnings = part.add_to(result, values)
        for warning in warnings:
            console.warn(warning)
        doubts += warnings
    result["doubts"] = doubts
    result[KEY] = [*judge(evaluation, result), *result.get(KEY, ())]
    if settings.compare_published is not None:
        names = [data.samples.name(k) for k in range(len(data.samples))]
        own = result["figures"][MODEL]
        result[PUBLISHED] = compare_published(settings.compare_published, evaluation.task, result, own, names=names)
    if settings.output_dir is not None:
        _write(evaluation, values, data, result, settings, device)
    require_better(result, wanted=settings.fail_below_baseline)
    return result


def leave_out_empty(data: EvaluationSet, console: Console) -> EvaluationSet:
    """The samples that hold data: others would count as perfect. RSF-D004 where none does."""
    total = len(data.samples)
    kept = list(find_with_data(data.samples, range(total)))
    if len(kept) == total:
        return data
    if not kept:
        what = f"none of {count_noun(total, 'sample')} holds data where it is measured"
        raise RsforgeError("RSF-D004", what, where="--data-dir", fix="name images that hold data")
    doubt = f"{total - len(kept)} of {total} samples hold no data where they are measured, and are left out"
    console.warn(doubt)
    scenes = [data.scenes[index] for index in kept]
    return EvaluationSet(SelectedItems(data.samples, kept), scenes, [*data.doubts, doubt])


def count_measured(data: EvaluationSet) -> dict[str, int]:
    """How many images of how many scenes are measured, as a result has it."""
    return {"images": len(data.samples), "scenes": len(set(data.scenes) - {""})}


def judge(evaluation: Evaluation, result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The verdicts on the figures by which the model is judged; none on those that no baseline has."""
    likes = {figure.name: figure.like for figure in evaluation.figures}
    names = evaluation.judged_by or [evaluation.ranked_by]
    figures, gain = result["figures"], result["gain"]
    return [verdict for name in names for verdict in compare_with_best(figures, gain, name, like=likes[name])]


def measure(
    evaluation: Evaluation, samples: IndexedDataset, console: Console, *, batch_size: int, device: torch.device
) -> Values:
    """Every figure of every sample by predictor; figures of the set take in the same predictions."""
    rows: list[dict[str, dict[str, Tensor]]] = []
    with console.progress("image", len(samples)) as meter:
        for batch, count in _batches(evaluation, samples, batch_size, device):
            predictions = {MODEL: evaluation.model(batch)}
            predictions |= {baseline.name: baseline.predict(batch) for baseline in evaluation.baselines}
            rows.append({name: _figures(evaluation, name, one, batch) for name, one in predictions.items()})
            for part in evaluation.of_set:
                part.update(predictions, batch)
            meter.step(count)
    return {
        name: {figure: torch.cat([row[name][figure] for row in rows]).double().numpy() for figure in rows[0][name]}
        for name in rows[0]
    }


def _figures(evaluation: Evaluation, name: str, prediction: Any, batch: Batch) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for figure in evaluation.measured:
        if figure.of is not None and (name == MODEL or not figure.model_only):
            found[figure.name] = figure.of(prediction, batch).cpu()
    return found


def _batches(
    evaluation: Evaluation, samples: IndexedDataset, size: int, device: torch.device
) -> Iterator[tuple[Batch, int]]:
    items = map_in_threads(lambda index: samples[0, index], range(len(samples)))
    done = 0
    while batch := list(islice(items, size)):
        valid = stack_valid(samples, range(done, done + len(batch)))
        done += len(batch)
        yield to_device({**evaluation.batch_of(batch), **({} if valid is None else {VALID: valid})}, device), len(batch)


def _describe(evaluation: Evaluation) -> dict[str, Any]:
    """Units and directions of the figures, and what each baseline is."""
    figures: list[Figure] = [*evaluation.figures, *(figure for part in evaluation.of_set for figure in part.figures)]
    return {
        "baselines": {baseline.name: baseline.meaning for baseline in evaluation.baselines},
        "units": {figure.name: figure.unit for figure in figures},
        "directions": {figure.name: "higher" if figure.higher_is_better else "lower" for figure in figures},
        "definitions": define_figures(figure.name for figure in figures),
    }


def _summarize(
    evaluation: Evaluation, values: Values, data: EvaluationSet, settings: MeasuringSettings, console: Console
) -> dict[str, Any]:
    groups, what, doubt = bootstrap_groups(data.scenes)
    if doubt:
        console.warn(doubt)
    if lost := int((~np.isfinite(values[MODEL][evaluation.ranked_by])).sum()):
        console.warn(f"{lost} of {len(groups)} predictions hold values that are no numbers")
    bootstrap = Bootstrap(settings.resamples, settings.confidence, derive(settings.seed, "bootstrap"))
    references = [baseline.name for baseline in evaluation.baselines if baseline.reference]
    figures, gain = summarize(values, evaluation.measured, groups, bootstrap, beside=references)
    for figure in evaluation.figures:
        if figure.of is None:
            for own in figures.values():
                own[figure.name] = None
    return {"interval": bootstrap.describe(what), "interval_warning": doubt or None, "figures": figures, "gain": gain}


def _write(
    evaluation: Evaluation,
    values: Values,
    data: EvaluationSet,
    result: dict[str, Any],
    settings: MeasuringSettings,
    device: torch.device,
) -> None:
    """Tables, and the picture of the best, the median and the worst sample."""
    assert settings.output_dir is not None
    own, ranked_by = values[MODEL], next(f for f in evaluation.figures if f.name == evaluation.ranked_by)
    examples = rank_examples(own[ranked_by.name], higher_is_better=ranked_by.higher_is_better)
    rows = []
    for label, index in examples.items():
        batch = to_device(evaluation.batch_of([data.samples[0, index]]), device)
        panels = evaluation.panels(batch, evaluation.model(batch))
        rows.append((f"{label}, {ranked_by.name} {own[ranked_by.name][index]:.3f}", panels))
    names = [data.samples.name(k) for k in range(len(data.samples))]
    result["examples"] = {label: names[index] for label, index in examples.items()}
    result["output_dir"] = str(settings.output_dir)
    text = files.csv_of(names, data.scenes, {figure.name: own.get(figure.name) for figure in evaluation.figures})
    page = evaluation.page(result) if evaluation.page else None
    files.write_files(
        settings.output_dir, result, text, rows, overwrite=settings.overwrite, page=page, pictures=evaluation.pictures
    )
