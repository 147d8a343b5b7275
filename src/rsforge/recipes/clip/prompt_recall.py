"""The recall of images by prompts: a figure of the whole set, since any image may be found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rsforge.metrics.retrieval import expected_hits
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Figure, Prediction, Values
from rsforge.recipes.evaluation.summary import Bootstrap, to_number
from rsforge.seeds import derive
from rsforge.settings.evaluation import MeasuringSettings
from rsforge.tasks.clip import RECALLS


def relevance(batch: Batch, prompts: int) -> Tensor:
    """Which of the ``prompts`` is each image's own, ``(B, P)``."""
    labels: Tensor = batch["prompt"]
    return labels[:, None] == torch.arange(prompts, device=labels.device)


class PromptRecall:
    """For each prompt whether one of its images is among the first k of all; intervals are over prompts."""

    def __init__(self, prompts: Sequence[str], settings: MeasuringSettings) -> None:
        self.prompts = prompts
        seed = derive(settings.seed, "prompts")
        self.bootstrap = Bootstrap(settings.resamples, settings.confidence, seed)
        self.scores: dict[str, list[Tensor]] = {}
        self.relevant: list[Tensor] = []

    @property
    def figures(self) -> Sequence[Figure]:
        return [Figure(f"image_recall_{k}", "share of prompts", True, None) for k in RECALLS]

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Keep the scores of every predictor."""
        for name, prediction in predictions.items():
            self.scores.setdefault(name, []).append(prediction["scores"].float().cpu())
        self.relevant.append(relevance(batch, len(self.prompts)).cpu())

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """The recalls with intervals, and their gains over the best of the baselines."""
        relevant = torch.cat(self.relevant).T
        for k in RECALLS:
            figure = f"image_recall_{k}"
            hits = {name: expected_hits(torch.cat(parts).T, relevant, k) for name, parts in self.scores.items()}
            for name, found in hits.items():
                result["figures"][name][figure] = self._summarize(found)
            over = max((name for name in hits if name != MODEL), key=lambda name: float(hits[name].mean()))
            result["gain"][figure] = {"over": over, **self._summarize(hits[MODEL] - hits[over])}
        return []

    def _summarize(self, hits: Tensor) -> dict[str, float | None]:
        [(low, high)] = self.bootstrap.intervals(hits.double().numpy()[:, None], range(len(hits)))
        return {"mean": to_number(float(hits.mean())), "low": to_number(low), "high": to_number(high)}
