from __future__ import annotations

import pytest
import torch

from rsforge.engine.step_figures import StepFigures, not_finite
from rsforge.errors import RsforgeError


def test_figures_are_read_by_name():
    figures = StepFigures(torch.tensor([0.0, 1.5, 2.5]), ["loss", "kl"], step=3, samples=["a"])
    assert figures.read() == {"loss": 1.5, "kl": 2.5}


def test_a_failure_names_the_step_and_the_first_samples():
    names = [f"image {n}" for n in range(10)]
    with pytest.raises(RsforgeError, match="step 4") as caught:
        StepFigures(torch.tensor([1.0, 0.5]), ["loss"], step=3, samples=names).read()
    assert caught.value.code == "RSF-T001"
    assert caught.value.where == ", ".join(names[:8]) + " and 2 more"
    assert not_finite(3, names[:2]).where == "image 0, image 1"


def test_figures_keep_the_values_of_their_step():
    """What the next step writes into its own figures does not change those that wait."""
    waiting = [StepFigures(torch.tensor([0.0, float(n)]), ["loss"], step=n, samples=[]) for n in range(3)]
    assert [figures.read()["loss"] for figures in waiting] == [0.0, 1.0, 2.0]
