"""From figures of every sample to means, bootstrap intervals, and what the model gains over its baselines."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsforge.metrics.bootstrap import mean_intervals
from rsforge.recipes.evaluation.evaluation import MODEL, Column, Figure, Values
from rsforge.wording import count_noun

_SCENES, _FEW = 5, 20


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn."""

    resamples: int
    confidence: float
    seed: int

    def intervals(self, matrix: Column, groups: Sequence[Any]) -> Column:
        """(low, high) of the mean of every column ``(m, 2)``."""
        return mean_intervals(matrix, groups, resamples=self.resamples, confidence=self.confidence, seed=self.seed)

    def describe(self, groups: str) -> str:
        """The intervals in words."""
        return f"{100 * self.confidence:g} % bootstrap over {groups}, {self.resamples} resamples"


def bootstrap_groups(scenes: Sequence[str]) -> tuple[Sequence[Any], str, str]:
    """What a bootstrap draws for each image, what that is, and a doubt: whole scenes where five or more are known.

    An image of unknown scene stands for itself.
    """
    known = len(set(scenes) - {""})
    if known < _SCENES:
        counted = f"{known or 'no'} scene{'s are' if known != 1 else ' is'} known"
        doubt = f"{counted}: intervals are over single images, and too narrow as images of one scene are alike"
        return range(len(scenes)), count_noun(len(scenes), "image"), doubt
    groups = [scene or k for k, scene in enumerate(scenes)]
    what = count_noun(len(set(groups)), "scene")
    return groups, what, f"an interval over only {what} is too narrow" if len(set(groups)) < _FEW else ""


def to_number(value: float) -> float | None:
    """Six digits; None for what is no number."""
    return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None  # no -0


def summarize(
    values: Values,
    figures: Sequence[Figure],
    groups: Sequence[Any],
    bootstrap: Bootstrap,
    *,
    beside: Collection[str] = (),
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Mean and interval of each figure by predictor, and the gains by figure.

    A gain is over the baseline that is best in the mean, sample by sample; above 0 it is the model's, for every figure.
    Predictors ``beside`` the others are no baselines.
    """
    beaten = {name: own for name, own in values.items() if name not in beside}
    columns = {(name, figure): column for name, own in values.items() for figure, column in own.items()}
    over: dict[str, str] = {}
    for figure in figures:
        baseline = best_baseline(beaten, figure)
        if baseline:
            over[figure.name] = baseline
            difference = values[MODEL][figure.name] - values[baseline][_name_in_baselines(figure)]
            columns["gain", figure.name] = difference if figure.higher_is_better else -difference
    matrix = np.stack(list(columns.values()), axis=1)
    intervals = bootstrap.intervals(matrix, groups)
    found: dict[str, dict[str, Any]] = {"gain": {}}
    for (name, figure_name), mean, (low, high) in zip(columns, matrix.mean(0), intervals, strict=True):
        row = {"mean": to_number(mean), "low": to_number(low), "high": to_number(high)}
        found.setdefault(name, {})[figure_name] = row
    gain = found.pop("gain")
    return found, {figure: {"over": over[figure], **gain[figure]} for figure in gain}


def best_baseline(values: Values, figure: Figure) -> str:
    """The predictor beside the model with the best mean of a figure; empty where none has it."""
    sign, name_there = 1 if figure.higher_is_better else -1, _name_in_baselines(figure)
    means = {name: sign * own[name_there].mean() for name, own in values.items() if name_there in own}
    means.pop(MODEL, None)
    return max(means, key=means.__getitem__, default="")


def _name_in_baselines(figure: Figure) -> str:
    return figure.like or figure.name


def rank_examples(values: Column, *, higher_is_better: bool) -> dict[str, int]:
    """The places of the best, the median and the worst sample; fewer where there are fewer. NaN is the worst."""
    order = np.argsort(-values if higher_is_better else values, kind="stable").tolist()
    chosen: dict[str, int] = {}
    for label, place in (("best", order[0]), ("worst", order[-1]), ("median", order[(len(order) - 1) // 2])):
        if place not in chosen.values():
            chosen[label] = place
    return {label: chosen[label] for label in ("best", "median", "worst") if label in chosen}
