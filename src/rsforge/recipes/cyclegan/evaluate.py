"""``rsforge cyclegan evaluate``: translations measured beside what costs nothing, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import devices
from rsforge.models.interfaces import Translator
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.cyclegan.sar_level import list_level_caveats
from rsforge.recipes.datasets.pairs_of_checkpoint import count_scaled, open_subset
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baseline_predictors import pair_baselines
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Evaluation, Panel, Predict, Prediction, SetFigures
from rsforge.recipes.evaluation.image_figures import IMAGE, error_panel, image_figures
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics, load_learned_metrics
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.set_distances import SetDistances
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.training import output_dir
from rsforge.settings.cyclegan import CycleGanEvaluateSettings


def evaluate(settings: CycleGanEvaluateSettings, console: Console) -> dict[str, Any]:
    """Figures of the model and of its baselines by image and over the set, and what the model gains."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite)
    files.check_outside(own.output_dir, settings.data.data_dir)
    device = devices.choose(settings.device)
    net, restored = load_generator(settings.checkpoint, device, "sar2optical")
    state, size = restored.state, restored.state["image_size"]
    measured = open_subset(settings.data, own.side, console, on_bad=settings.on_bad, state=state)
    learned = load_learned_metrics(own.vgg_weights, own.inception_weights, device, console)
    count, scaled = len(measured.samples), count_scaled(measured.samples, size)
    facts = {
        "checkpoint": str(settings.checkpoint),
        "weights": restored.digest,
        "data_dir": str(settings.data.data_dir),
        "side": measured.subset,
        "side_reason": measured.reason,
        "chosen_on": chosen_on(state),
        "images": count,
        "scenes": len(set(measured.scenes) - {""}),
        "image_size": size,
        "scaled": scaled,
        "trained_on": measured.trained,
    }
    if console.dry_run:
        return plan_evaluation(facts, learned.absent, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    given = pair_baselines(state, measured.samples, device, console)
    facts |= given.facts
    distances = SetDistances(learned.inception, "optical", count=count, seed=own.seed, device=device)
    evaluation = build_evaluation(net, learned, given.baselines, [distances])
    doubts = (
        given.doubts
        + measured.list_caveats("pairs")
        + list_selection_caveats(state, measured.subset, own=measured.own)
        + list_level_caveats(state, measured.samples)
    )
    if scaled:
        doubts.append(f"{scaled} of {count} pairs were scaled to {size} px; translate works at full size")
    data = EvaluationSet(measured.samples, measured.scenes, doubts)
    absent = learned.absent | given.absent
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def build_evaluation(
    net: Translator, learned: LearnedMetrics, baselines: Sequence[Baseline], of_set: Sequence[SetFigures] = ()
) -> Evaluation:
    """How translations are measured beside those of ``baselines``."""
    return Evaluation(
        model=_predict_with(net),
        figures=image_figures("optical", learned, error="l1"),
        baselines=baselines,
        panels=_panels,
        batch_of=_batch_of,
        ranked_by="l1",
        of_set=of_set,
        task="sar-to-optical",
    )


def _predict_with(net: Translator) -> Predict:
    def predict(batch: Batch) -> Prediction:
        return {IMAGE: net(batch["sar"]).float()}

    return predict


def _batch_of(items: Sequence[tuple[Tensor, Tensor]]) -> Batch:
    sar, optical = zip(*items, strict=True)
    return {"sar": torch.stack(sar), "optical": torch.stack(optical)}


def _panels(batch: Batch, prediction: Prediction) -> list[Panel]:
    sar, optical, y = batch["sar"][0, :1], batch["optical"][0], prediction[IMAGE][0]
    return [Panel("SAR", sar), Panel("optical", optical), Panel("translation", y), error_panel(y, optical)]
