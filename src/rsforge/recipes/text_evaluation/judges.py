"""What judges images: the networks of FID, CLIP score and zero-shot accuracy, and why others are absent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rsforge.data.files.digests import file_digest
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.learned_metrics import find_inception, load_inception
from rsforge.recipes.text_evaluation.class_accuracy import NAME as ACCURACY
from rsforge.recipes.text_evaluation.class_accuracy import why_no_classes
from rsforge.recipes.text_evaluation.clip_score import ABSENT as NO_CLIP
from rsforge.recipes.text_evaluation.clip_score import NAME as CLIP
from rsforge.recipes.text_evaluation.clip_score import ClipScorer, open_scorer
from rsforge.recipes.text_evaluation.scene_classifier import (
    ClassifierPlan,
    describe_classifier,
    find_first_weights,
    read_first_weights,
)
from rsforge.seeds import derive
from rsforge.settings.text_evaluate import TextEvaluateSettings

BACKEND = "Inception v3 of torch-fidelity, 2048 features, images in 8 bits, scaled as TensorFlow 1 scales"


@dataclass(frozen=True)
class Judges:
    """Networks, None where they are not there; ``absent`` says why, ``protocol`` what they are."""

    inception: Callable[[Tensor], Tensor] | None
    scorer: ClipScorer | None
    classifier: ClassifierPlan | None
    absent: dict[str, str]
    protocol: dict[str, Any]


def load_judges(
    settings: TextEvaluateSettings, classes: Sequence[str], device: torch.device, console: Console
) -> Judges:
    """The networks of the files that the settings name, else of torch's cache; ``classes`` are those of the images."""
    own = settings.evaluation
    inception, absent = load_inception(own.inception_weights, device)
    protocol: dict[str, Any] = {"fid": None, "clip": None, "zero_shot": None}
    if inception is not None and (path := own.inception_weights or find_inception()):
        protocol["fid"] = {"backend": BACKEND, "weights": file_digest(path)}
    scorer = None
    if own.clip_model is not None:
        scorer = open_scorer(own.clip_model, device, allow_pickle=settings.allow_pickle)
        protocol["clip"] = {"score": "100 max(cos, 0)", "weights": scorer.digest}
    else:
        absent[CLIP] = NO_CLIP
    plan, reason = None, why_no_classes(classes, own.classifier_epochs)
    if reason:
        absent[ACCURACY] = reason
    else:
        plan, protocol["zero_shot"] = _plan_classifier(settings, len(set(classes)))
    for name, why in absent.items():
        console.say(f"{name:<10} not measured: {why}")
    return Judges(inception, scorer, plan, absent, protocol)


def _plan_classifier(settings: TextEvaluateSettings, classes: int) -> tuple[ClassifierPlan, dict[str, Any]]:
    own = settings.evaluation
    path = find_first_weights(own.resnet_weights)
    first = None if path is None else read_first_weights(path)
    plan = ClassifierPlan(classes, own.classifier_epochs, derive(own.seed, "classifier"), first)
    return plan, describe_classifier(plan, "random" if path is None else file_digest(path))
