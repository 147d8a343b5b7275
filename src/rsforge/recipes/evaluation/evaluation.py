"""What an evaluation is made of: figures of every sample, predictors to compare with, figures of the set, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

Batch = Mapping[str, Any]
"""Samples by name: tensors ``(B, ...)``, lists of strings (prompts) or of records."""
Prediction = Mapping[str, Tensor]
"""What a predictor gives for a batch, by name."""
Predict = Callable[[Batch], Prediction]
Column = npt.NDArray[np.float64]
"""One number a sample."""
Values = Mapping[str, Mapping[str, Column]]
"""By predictor and figure."""

MODEL = "model"
"""The name of the predictor that is evaluated, beside those of the baselines."""


@dataclass(frozen=True)
class Figure:
    """One number of every sample.

    ``of(prediction, batch)`` gives ``(B,)``, or is None where it is not measured here. With ``model_only`` baselines
    have none of it: it asks for what only the model gives, and is compared with their figure ``like`` where it has one.
    """

    name: str
    unit: str
    higher_is_better: bool
    of: Callable[[Prediction, Batch], Tensor] | None
    model_only: bool = False
    like: str = ""


@dataclass(frozen=True)
class Baseline:
    """A predictor that costs nothing; ``meaning`` says what it is, after "NAME is".

    A ``reference`` is not to be beaten, as true images are not: gains are over others.
    """

    name: str
    meaning: str
    predict: Predict
    reference: bool = False


@dataclass(frozen=True)
class Panel:
    """A picture ``(3, H, W)`` or ``(1, H, W)`` in [-1, 1], or with a ``limit`` a map ``(H, W)`` from 0 to it.

    ``title`` stands above the column, ``note`` below this picture.
    """

    title: str
    image: Tensor
    limit: float = 0.0
    note: str = ""


class SetFigures(Protocol):
    """Figures of a whole set, which are no means over its samples."""

    @property
    def figures(self) -> Sequence[Figure]:
        """Their names, units and directions; ``of`` is None."""

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Take in a batch and what every predictor gave for it."""

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """Put the figures into the result, and verdicts on them; ``values`` are those by sample. Warnings to give."""


@dataclass(frozen=True)
class Evaluation:
    """How predictions are evaluated.

    ``batch_of`` makes a batch of items of a dataset; ``panels(batch, prediction)`` shows the only sample of a batch and
    what the model gave for it; examples are the best, the median and the worst sample by the figure ``ranked_by``.
    The model is judged by the figures ``judged_by``, or without one by that. ``page`` makes ``report.html`` of a
    result, and ``pictures`` write further files by their names. ``task`` is what published figures are of:
    sar-to-optical, text-to-image, autoencoder or unconditional; empty for none.
    """

    model: Predict
    figures: Sequence[Figure]
    baselines: Sequence[Baseline]
    panels: Callable[[Batch, Prediction], Sequence[Panel]]
    batch_of: Callable[[Sequence[Any]], Batch]
    ranked_by: str
    of_set: Sequence[SetFigures] = field(default_factory=tuple)
    page: Callable[[Mapping[str, Any]], str] | None = None
    judged_by: Sequence[str] = ()
    task: str = ""
    pictures: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)

    @property
    def measured(self) -> list[Figure]:
        """The figures that are measured here."""
        return [figure for figure in self.figures if figure.of is not None]
