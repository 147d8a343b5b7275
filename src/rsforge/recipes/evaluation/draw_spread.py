"""Whether several draws of a model differ where their mean errs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rsforge.losses.gaps import find_gaps
from rsforge.metrics.calibration import error_of_mean, rank_correlations, spread_of, spread_to_error
from rsforge.recipes.evaluation.evaluation import MODEL, Batch, Column, Figure, Prediction, Values
from rsforge.recipes.evaluation.summary import Bootstrap, to_number

DRAWS = "draws"
"""The name of draws ``(B, K, 3, H, W)`` in [-1, 1] in predictions of the model."""
FINDINGS = "findings"
"""Where a result holds what its figures say, in sentences."""


class DrawSpread:
    """Rank correlation of the spread of draws and the error of their mean, image by image, and how large both are.

    The true image is that of the batch under ``target``; ``groups`` say what the bootstrap draws for each image.
    """

    figures: Sequence[Figure] = ()

    def __init__(self, target: str, groups: Sequence[Hashable], bootstrap: Bootstrap) -> None:
        self.target, self.groups, self.bootstrap = target, groups, bootstrap
        self.rows: list[Column] = []

    def update(self, predictions: Mapping[str, Prediction], batch: Batch) -> None:
        """Take in the draws of a batch."""
        draws, truth, valid = predictions[MODEL][DRAWS], batch[self.target], find_gaps(batch).valid
        if valid is not None:  # of which neither spread nor error is left
            draws = torch.where(valid[:, None], draws, truth[:, None])
        correlations = rank_correlations(spread_of(draws), error_of_mean(draws, truth), valid)
        self.rows.append(np.column_stack([correlations, spread_to_error(draws, truth).double().cpu().numpy()]))

    def add_to(self, result: dict[str, Any], values: Values) -> list[str]:
        """The section ``calibration``, and what it says."""
        rows = np.concatenate(self.rows)
        correlation = row_of(self.bootstrap, rows[:, 0], self.groups)
        variance, error = rows[:, 1:].mean(0)
        ratio = to_number(float(np.sqrt(variance / error))) if error else None
        result["calibration"] = {"rank_correlation": correlation, "spread_to_error": ratio}
        sentences = [describe_correlation(correlation), describe_ratio(ratio)]
        result[FINDINGS] = [*result.get(FINDINGS, []), *filter(None, sentences)]
        return []


def row_of(bootstrap: Bootstrap, column: Column, groups: Sequence[Hashable]) -> dict[str, Any]:
    """Mean and interval of the numbers in ``column`` that are some, and of how many ``images``."""
    known = np.isfinite(column)
    if not known.any():
        return {"mean": None, "low": None, "high": None, "images": 0}
    kept = [group for group, there in zip(groups, known, strict=True) if there]
    ((low, high),) = bootstrap.intervals(column[known][:, None], kept)
    numbers = {"mean": column[known].mean(), "low": low, "high": high}
    return {name: to_number(float(value)) for name, value in numbers.items()} | {"images": int(known.sum())}


def describe_correlation(row: Mapping[str, Any]) -> str:
    """What a rank correlation of spread and error says."""
    if row["mean"] is None:
        return "The draws do not differ, so that their spread cannot tell where they err"
    numbers = f"rank correlation of spread and error over the pixels of an image {describe_row(row)}"
    if row["low"] is not None and row["low"] > 0:
        return f"Where draws differ more, their mean errs more: {numbers}"
    if row["high"] is not None and row["high"] < 0:
        return f"Where draws differ more, their mean errs less, so that their spread misleads: {numbers}"
    return f"Where draws differ does not tell where their mean errs: {numbers}"


def describe_ratio(ratio: float | None) -> str:
    """What the ratio of spread to error says; it is 1 where the truth is as one more draw."""
    if ratio is None:
        return ""
    numbers = f"the ratio of their spread to the error of their mean is {ratio:.2f}, and 1 where both agree"
    if ratio < 0.8:
        return f"The draws are too much alike: {numbers}"
    if ratio > 1.25:
        return f"The draws differ too much: {numbers}"
    return f"The draws differ about as much as their mean errs: {numbers}"


def describe_row(row: Mapping[str, Any]) -> str:
    """Mean and interval."""
    if row["mean"] is None or row["low"] is None:
        return "-" if row["mean"] is None else f"{row['mean']:.3g}"
    return f"{row['mean']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
