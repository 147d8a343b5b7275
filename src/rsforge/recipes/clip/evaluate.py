"""``rsforge clip evaluate``: images that find their prompts, and prompts their images, beside what costs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rsforge.engine import devices
from rsforge.errors import RsforgeError
from rsforge.metrics.retrieval import expected_hits, mean_rank
from rsforge.recipes.clip import baselines
from rsforge.recipes.clip.load import load_text_encoder, load_towers, stored_template
from rsforge.recipes.clip.prompt_recall import PromptRecall, relevance
from rsforge.recipes.clip.prompted_images import PromptedImages, number_prompts
from rsforge.recipes.console import Console
from rsforge.recipes.datasets.measured_subset import MeasuredSubset
from rsforge.recipes.datasets.pairs_of_checkpoint import open_subset
from rsforge.recipes.datasets.prompts import warn_of_unknown_words, write_prompts
from rsforge.recipes.evaluation import files
from rsforge.recipes.evaluation.baselines import KEY
from rsforge.recipes.evaluation.evaluation import (
    Baseline,
    Batch,
    Evaluation,
    Figure,
    Panel,
    Predict,
    Prediction,
    SetFigures,
)
from rsforge.recipes.evaluation.run import EvaluationSet, plan_evaluation, run_evaluation
from rsforge.recipes.evaluation.selection import chosen_on, list_selection_caveats
from rsforge.recipes.evaluation.table import table as table
from rsforge.recipes.inference.checkpoints import LoadedModel
from rsforge.recipes.training import output_dir
from rsforge.settings.clip import ClipEvaluateSettings
from rsforge.tasks.clip import RECALLS, ClipTask

RANK = "prompt_rank"


def evaluate(settings: ClipEvaluateSettings, console: Console) -> dict[str, Any]:
    """Recall of prompts among the distinct ones of a subset, and of images among all of it, beside baselines."""
    own = settings.evaluation
    files.check_output(own.output_dir, overwrite=own.overwrite)
    files.check_outside(own.output_dir, settings.data.data_dir)
    device = devices.choose(settings.device)
    text_encoder, restored, tokenizer = load_text_encoder(settings.checkpoint, device)
    image_encoder, head = load_towers(settings.checkpoint, device)
    measured = open_subset(settings.data, own.side, console, on_bad=settings.on_bad, state=restored.state)
    prompts = write_prompts(stored_template(restored.state), measured.metadata, console)
    warn_of_unknown_words(tokenizer, prompts, console)
    distinct, labels = number_prompts(prompts)
    _check_variety(distinct, settings)
    facts = _describe(settings, restored, measured, distinct)
    if console.dry_run:
        return plan_evaluation(facts, {}, own)
    if own.output_dir is not None:
        output_dir.make(own.output_dir)
    task = ClipTask(text_encoder, image_encoder, head, tokenizer.encode(distinct).to(device))
    doubts = measured.list_caveats("images") + list_selection_caveats(restored.state, measured.subset, own=measured.own)
    data = EvaluationSet(PromptedImages(measured.samples, labels), measured.scenes, doubts)
    evaluation = build_evaluation(task, restored.state, distinct, [PromptRecall(distinct, own)])
    return run_evaluation(evaluation, data, facts, {}, own, console, batch_size=settings.batch_size, device=device)


def build_evaluation(
    task: ClipTask, state: Mapping[str, Any], distinct: Sequence[str], of_set: Sequence[SetFigures] = ()
) -> Evaluation:
    """How images find their prompts among the ``distinct`` ones, beside the baselines of a checkpoint ``state``."""
    return Evaluation(
        model=_predict_with(task, len(distinct)),
        figures=_figures(len(distinct)),
        baselines=_baselines(state, distinct),
        panels=_panels,
        batch_of=_batch_of,
        ranked_by=RANK,
        of_set=of_set,
    )


def _check_variety(distinct: Sequence[str], settings: ClipEvaluateSettings) -> None:
    """RSF-D004 where all images have one prompt, which any model finds."""
    if len(distinct) < 2:
        what, fix = "all images to measure have the same prompt", "measure more images, by --side all for example"
        raise RsforgeError("RSF-D004", what, where=settings.data.data_dir, found=distinct[0][:160], fix=fix)


def _describe(
    settings: ClipEvaluateSettings, restored: LoadedModel, measured: MeasuredSubset, distinct: Sequence[str]
) -> dict[str, Any]:
    return {
        "checkpoint": str(settings.checkpoint),
        "weights": restored.digest,
        "data_dir": settings.data.data_dir,
        "side": measured.subset,
        "side_reason": measured.reason,
        "chosen_on": chosen_on(restored.state),
        "images": len(measured.samples),
        "scenes": len(set(measured.scenes) - {""}),
        "prompts": len(distinct),
        "image_size": restored.state["image_size"],
        "trained_on": measured.trained,
    }


def _predict_with(task: ClipTask, prompts: int) -> Predict:
    with torch.no_grad():
        texts = task.embed_prompts(torch.arange(prompts, device=task.tokens.device))

    def predict(batch: Batch) -> Prediction:
        return {"scores": task.embed_images(batch["images"]) @ texts.T}

    return predict


def _figures(prompts: int) -> list[Figure]:
    """Of each image: whether its own prompt is among the first k of all, and at which place it is."""

    def recall(k: int, prediction: Prediction, batch: Batch) -> Tensor:
        return expected_hits(prediction["scores"], relevance(batch, prompts), k)

    def rank(prediction: Prediction, batch: Batch) -> Tensor:
        return mean_rank(prediction["scores"], relevance(batch, prompts))

    recalls = [Figure(f"prompt_recall_{k}", "share of images", True, partial(recall, k)) for k in RECALLS]
    return [*recalls, Figure(RANK, f"place among {prompts}", False, rank)]


def _baselines(state: Mapping[str, Any], prompts: Sequence[str]) -> list[Baseline]:
    """Chance, and what the checkpoint stores of its training images."""
    found = [
        Baseline("chance", "any prompt, and any image, at random", _score_with(baselines.score_alike, {}, prompts))
    ]
    fitted = state.get(KEY) or {}
    if {"prompts", "counts", "colours"} <= fitted.keys():
        order = "the order of the prompts by"
        by_count = _score_with(baselines.score_by_count, fitted, prompts)
        by_colour = _score_with(baselines.score_by_colour, fitted, prompts)
        found.append(Baseline("most_frequent_prompt", f"{order} their number of training images", by_count))
        found.append(Baseline("nearest_colour", f"{order} the mean colour of their training images", by_colour))
    return found


def _score_with(scorer: baselines.Scorer, fitted: Mapping[str, Any], prompts: Sequence[str]) -> Predict:
    return lambda batch: {"scores": scorer(fitted, prompts, batch["images"])}


def _panels(batch: Batch, prediction: Prediction) -> Sequence[Panel]:
    return [Panel("optical", batch["images"][0])]


def _batch_of(items: Sequence[Any]) -> Batch:
    return {name: torch.stack([item[name] for item in items]) for name in items[0]}
