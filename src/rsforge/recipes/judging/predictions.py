"""The judging of a model that gives images: as an evaluation does it, with the figure that counts alone."""

from __future__ import annotations

from typing import Any

import torch

from rsforge.recipes.console import SilentConsole
from rsforge.recipes.evaluation.evaluation import Evaluation
from rsforge.recipes.evaluation.learned_metrics import LearnedMetrics
from rsforge.recipes.evaluation.run import EvaluationSet, run_evaluation
from rsforge.recipes.judging.judged_side import JudgedSide, describe_judging
from rsforge.settings.evaluation import MeasuringSettings

NO_LEARNED = LearnedMetrics(None, None, {})
"""Networks that judge are for evaluations: they cost more than what is measured here."""


def judge_predictions(
    evaluation: Evaluation, side: JudgedSide, *, seed: int, batch_size: int, device: torch.device
) -> dict[str, Any]:
    """What ``describe_judging`` says of an evaluation of the samples of ``side``; nothing is written."""
    data, settings = EvaluationSet(side.samples, side.scenes), MeasuringSettings(seed=seed)
    result = run_evaluation(evaluation, data, {}, {}, settings, SilentConsole(), batch_size=batch_size, device=device)
    return describe_judging(result, side)
