"""``rsforge cyclegan evaluate``: translations measured beside what costs nothing, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.data.pairs.dataset import PairDataset
from rsforge.engine import devices
from rsforge.engine.loader import IndexedDataset
from rsforge.models.pix2pix import Pix2PixUNet
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baseline_predictors import (
    NOT_STORED,
    constant_baselines,
    measured_baseline,
    measured_means,
)
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.recipes.evaluation.evaluation import Baseline, Batch, Evaluation, Panel, Predict, Prediction
from rsforge.recipes.evaluation.image_figures import IMAGE, error_panel, image_figures
from rsforge.recipes.evaluation.learned_metrics import load_learned_metrics
from rsforge.recipes.evaluation.linear_sar import linear_baselines
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
    device = devices.choose(settings.device)
    net, restored = load_generator(settings.checkpoint, device, "sar2optical")
    state, size = restored.state, restored.state["image_size"]
    measured = open_subset(settings.data, own.side, console, on_bad=settings.on_bad, state=state)
    learned = load_learned_metrics(own.vgg_weights, own.inception_weights, device, console)
    count, scaled = len(measured.samples), _count_scaled(measured.samples, size)
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
    colour, baselines, doubts = _baselines(state, measured, device, console)
    linear, absent = linear_baselines(state.get(KEY))
    facts |= colour
    evaluation = Evaluation(
        model=_predict_with(net),
        figures=image_figures("optical", learned, error="l1"),
        baselines=[*baselines, *linear],
        panels=_panels,
        batch_of=_batch_of,
        ranked_by="l1",
        of_set=[SetDistances(learned.inception, "optical", count=count, seed=own.seed, device=device)],
    )
    doubts += measured.list_caveats("pairs") + list_selection_caveats(state, measured.subset, own=measured.own)
    if scaled:
        doubts.append(f"{scaled} of {count} pairs were scaled to {size} px; translate works at full size")
    data = EvaluationSet(measured.samples, measured.scenes, doubts)
    absent = learned.absent | absent
    return run_evaluation(evaluation, data, facts, absent, own, console, batch_size=settings.batch_size, device=device)


def _count_scaled(samples: IndexedDataset, size: int) -> int:
    """How many pairs come from files whose shorter side is another than ``size``; drawn ones are made at it."""
    judged = samples.judged if isinstance(samples, PairDataset) else []
    return sum(min(one.height, one.width) != size for one in judged)


def _baselines(
    state: Mapping[str, Any], measured: MeasuredSubset, device: torch.device, console: Console
) -> tuple[dict[str, Any], list[Baseline], list[str]]:
    """The mean colour in use, the baselines that need no fit to SAR images, and doubts to tell."""
    size, stored = state["image_size"], state.get(KEY)
    copy_sar = Baseline("copy_sar", "the SAR image as grey (its first band)", _copy_sar)
    if stored:
        colour, of = stored["mean_colour"], "the training images"
        constants, doubts = constant_baselines(stored, size, device), list[str]()
    else:
        console.warn(NOT_STORED)
        with console.progress("mean colour", len(measured.samples)) as meter:
            _, colour = measured_means(measured.samples, lambda item: item[1], meter.step)
        of = "the measured images"
        constants, doubts = [measured_baseline("mean_colour", colour, size, device)], [NOT_STORED]
    facts = {"colour": [round(float(c), 6) for c in colour.flatten()], "mean_colour_of": of}
    return facts, [copy_sar, *constants], doubts


def _copy_sar(batch: Batch) -> Prediction:
    return {IMAGE: batch["sar"][:, :1].expand(-1, 3, -1, -1)}


def _predict_with(net: Pix2PixUNet) -> Predict:
    def predict(batch: Batch) -> Prediction:
        return {IMAGE: net(batch["sar"]).float()}

    return predict


def _batch_of(items: Sequence[tuple[Tensor, Tensor]]) -> Batch:
    sar, optical = zip(*items, strict=True)
    return {"sar": torch.stack(sar), "optical": torch.stack(optical)}


def _panels(batch: Batch, prediction: Prediction) -> list[Panel]:
    sar, optical, y = batch["sar"][0, :1], batch["optical"][0], prediction[IMAGE][0]
    return [Panel("SAR", sar), Panel("optical", optical), Panel("translation", y), error_panel(y, optical)]
