"""How near the translations of the best model of a training are to pairs that chose nothing, beside its baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rsforge.recipes.console import Console, SilentConsole
from rsforge.recipes.cyclegan.evaluate import build_evaluation
from rsforge.recipes.cyclegan.load import load_generator
from rsforge.recipes.datasets.named_samples import NoSamples
from rsforge.recipes.datasets.pair_split import PairSets
from rsforge.recipes.evaluation.baseline_predictors import pair_baselines
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.predictions import NO_LEARNED, judge_predictions
from rsforge.recipes.training.job import Compute, TrainingSpec
from rsforge.settings.cyclegan import CycleGanTrainSettings


def judge(
    settings: CycleGanTrainSettings, pairs: PairSets, spec: TrainingSpec, path: Path, compute: Compute, console: Console
) -> dict[str, Any]:
    """The mean absolute error of the checkpoint ``path``; nothing where no true pairs are held out."""
    side = choose_side(pairs.held_out if pairs.matched else NoSamples(), pairs.test, pairs.scenes, noun="pair")
    if side is None:
        return {}
    net, restored = load_generator(path, compute.device, "sar2optical")
    given = pair_baselines(restored.state, side.samples, compute.device, SilentConsole())
    evaluation = build_evaluation(net, NO_LEARNED, given.baselines)
    size = settings.loop.batch_size
    return judge_predictions(evaluation, side, seed=settings.run.seed, batch_size=size, device=compute.device)
