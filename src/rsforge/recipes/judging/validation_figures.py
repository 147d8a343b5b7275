"""The judging of a model by the figures of its validation, taken of one sample after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from rsforge.engine import checkpoint
from rsforge.engine.devices import seed_draws
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.ema import NoEma, averaged_weights
from rsforge.engine.loader import collate_named, to_device
from rsforge.engine.task import Task
from rsforge.engine.validation import evaluating
from rsforge.recipes.console import Console
from rsforge.recipes.evaluation.evaluation import MODEL, Figure, Values
from rsforge.recipes.evaluation.summary import Bootstrap, bootstrap_groups, summarize
from rsforge.recipes.judging.judged_side import JudgedSide, describe_judging
from rsforge.recipes.training.job import Compute, TrainingSpec, TrainSettings
from rsforge.recipes.verdict import KEY, compare_with_best
from rsforge.seeds import derive
from rsforge.settings.evaluation import MeasuringSettings

S = TypeVar("S", bound=TrainSettings)
D = TypeVar("D")


@dataclass(frozen=True)
class FigureJudge:
    """Judges by ``figures`` of ``Task.validation()``, of which less is better; those that are not there are left out.

    ``baselines`` are the names that the same figures of each baseline have there, in their order; baselines that are
    not there are left out. ``side_of`` chooses the samples of the data sets of a training. Figures are means over
    samples, and are said by the names of ``prefix`` and their own.
    """

    figures: Sequence[str]
    baselines: Mapping[str, Sequence[str]]
    side_of: Callable[[Any], JudgedSide | None]
    prefix: str = ""

    def __call__(
        self, settings: S, data: D, spec: TrainingSpec, path: Path, compute: Compute, console: Console
    ) -> dict[str, Any]:
        """What ``describe_judging`` says of the checkpoint ``path``; its weights stay in the networks of the task."""
        side = self.side_of(data)
        if side is None:
            return {}
        load_best(spec.task, path)
        rows = measure_samples(spec.task, side, compute.device, settings.run.seed, console)
        values = self.arrange(rows)
        own = MeasuringSettings(seed=settings.run.seed)
        groups, what, doubt = bootstrap_groups(side.scenes)
        bootstrap = Bootstrap(own.resamples, own.confidence, derive(own.seed, "bootstrap"))
        names = list(values.by_predictor[MODEL])
        kinds = [Figure(name, "", False, None) for name in names]
        groups = [groups[row] for row in values.kept]
        figures, gain = summarize(values.by_predictor, kinds, groups, bootstrap)
        verdicts = [one for name in names for one in compare_with_best(figures, gain, name)]
        told = {"figures": figures, "interval": bootstrap.describe(what), "interval_warning": doubt}
        return describe_judging(told | {KEY: verdicts}, side)

    def arrange(self, rows: Sequence[Mapping[str, float]]) -> ArrangedValues:
        """The figures by predictor, of the samples of which baselines have all: others have nothing to be judged by."""
        there = [k for k, name in enumerate(self.figures) if name in rows[0]]
        own_names = [self.figures[k] for k in there]
        kinds = [self.prefix + name for name in own_names]
        names = {who: [own[k] for k in there] for who, own in self.baselines.items()}
        names = {who: own for who, own in names.items() if all(name in rows[0] for name in own)}
        others = [name for own in names.values() for name in own]
        kept = [k for k, row in enumerate(rows) if all(np.isfinite(row[name]) for name in others)]
        columns = {
            who: {kind: np.array([rows[k][name] for k in kept]) for kind, name in zip(kinds, own, strict=True)}
            for who, own in {MODEL: own_names, **names}.items()
        }
        return ArrangedValues(columns, kept)


@dataclass(frozen=True)
class ArrangedValues:
    """Figures by predictor, and the numbers of the samples that they are of."""

    by_predictor: Values
    kept: list[int]


def load_best(task: Task, path: Path) -> None:
    """Put the weights of a checkpoint, averaged where it has an average, into the networks of ``task``."""
    state = checkpoint.load(path)
    for name, module in task.modules().items():
        weights = dict(state["nets"].get(name, {})) | averaged_weights(state["parts"].get("ema", {}), name)
        checkpoint.load_weights(module, weights, where=str(path))


def measure_samples(
    task: Task, side: JudgedSide, device: torch.device, seed: int, console: Console
) -> list[dict[str, float]]:
    """The figures of the validation of each sample alone, as ``measure_sample`` takes them."""
    rows = []
    with evaluating(task.modules().values(), NoEma()), console.progress("judged", len(side.samples)) as meter:
        for index in range(len(side.samples)):
            rows.append(measure_sample(task, side.samples[0, index], index, device, seed))
            meter.step()
    return rows


def measure_sample(
    task: Task, item: Mapping[str, Tensor], index: int, device: torch.device, seed: int
) -> dict[str, float]:
    """The figures of the validation of one sample; its noise depends on the seed and its number ``index``.

    It seeds what draws random numbers, and leaves gradients and the mode of networks to who calls it.
    """
    accumulator = task.validation()
    seed_draws(derive(seed, "judging", index), device)
    accumulator.update(to_device(collate_named([item]), device), 1)
    return dict(accumulator.compute(SingleProcess()))
