from __future__ import annotations

import pytest
import torch

from rsforge.engine.accumulator import COUNTED, MeanOverSamples
from rsforge.engine.distributed import SingleProcess
from rsforge.engine.loader import BatchLoader
from rsforge.engine.validation import Validation
from tests.engine.toys import CPU, Contrastive, Points


def test_batches_of_different_sizes_count_by_their_samples():
    values = torch.randn(10, dtype=torch.float64)
    accumulator = MeanOverSamples(lambda batch: {"mean": batch.mean(), "square": batch.square().mean()})
    for part in values.split([4, 4, 2]):
        accumulator.update(part, len(part))
    figures = accumulator.compute(SingleProcess())
    assert figures == pytest.approx({"mean": float(values.mean()), "square": float(values.square().mean())}, rel=1e-6)


def test_a_figure_of_the_set_is_no_mean_of_batches():
    """Recall over all held-out rows, whatever the batches; of batches alone it would be easier."""
    task = Contrastive()
    whole, parts = (
        Validation(task, BatchLoader(Points(24), batch_size=size, shuffle=False), device=CPU)() for size in (24, 2)
    )
    assert whole == parts
    x = torch.stack([Points(24)[0, k]["x"] for k in range(24)])
    found = (task.net(x) @ task.net(x.flip(1)).T).argmax(1) == torch.arange(24)
    assert whole["val/error"] == pytest.approx(float((~found).float().mean()))
    alone = Validation(task, BatchLoader(Points(2), batch_size=2, shuffle=False), device=CPU)()
    assert alone["val/error"] < whole["val/error"]


def test_batches_count_by_what_their_figures_are_means_over():
    """Means over the valid rows of batches make the mean over all valid rows."""
    values, valid = torch.randn(12), torch.arange(12) % 5 > 1

    def evaluate(rows):
        kept = valid[rows]
        return {"mean": values[rows][kept].mean(), COUNTED: kept.float().mean()}

    accumulator = MeanOverSamples(evaluate)
    for rows in torch.arange(12).split([5, 5, 2]):  # of the last nothing counts
        accumulator.update(rows, len(rows))
    assert accumulator.compute(SingleProcess()) == pytest.approx({"mean": float(values[valid].mean())}, rel=1e-5)
