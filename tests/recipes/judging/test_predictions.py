"""The judging of a model that gives images."""

from __future__ import annotations

import torch

from rsforge.recipes.datasets.named_samples import NoSamples, unknown_scenes
from rsforge.recipes.evaluation.evaluation import Baseline, Evaluation, Figure
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.predictions import judge_predictions
from tests.worlds.items import Named


def test_the_figure_that_counts_is_measured_beside_the_baselines():
    def error(prediction, batch):
        return (prediction["y"] - batch["y"]).abs()

    evaluation = Evaluation(
        model=lambda batch: {"y": batch["y"] + 0.5},
        figures=[Figure("error", "", False, error)],
        baselines=[
            Baseline("zero", "nothing", lambda batch: {"y": torch.zeros_like(batch["y"])}),
            Baseline("truth", "itself", lambda batch: {"y": batch["y"]}, reference=True),
        ],
        panels=lambda batch, prediction: [],
        batch_of=lambda items: {"y": torch.tensor(items)},
        ranked_by="error",
    )
    side = choose_side(NoSamples(), Named([2.0, 3.0, 4.0]), unknown_scenes)
    told = judge_predictions(evaluation, side, seed=1, batch_size=2, device=torch.device("cpu"))
    assert told["judged"]["error"] == {"model": 0.5, "low": 0.5, "high": 0.5, "zero": 3.0, "truth": 0.0}
    assert told["judged"]["better"] and "zero (error 0.5, 3)" in told["verdict"]
