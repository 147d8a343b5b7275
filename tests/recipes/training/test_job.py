"""What a method brings to its training."""

from __future__ import annotations

import math

import pytest
import torch

from rsforge.engine import checkpoint
from rsforge.errors import RsforgeError
from rsforge.recipes.training.job import TrainingSpec
from tests.engine.toys import Points, Regress, trainer


class Range:
    """Keeps the lowest value of each of two channels, infinite as long as there was none."""

    nonfinite = ("low",)

    def __init__(self):
        self.low, self.mean = torch.full((2,), math.inf), torch.zeros(2)

    def state_dict(self):
        return {"low": self.low, "mean": self.mean}

    def load_state_dict(self, state): ...


def test_what_a_part_declares_may_be_infinite_and_nothing_else(tmp_path):
    part = Range()
    spec = TrainingSpec(Regress(), Points(2), Points(0), identity={}, monitor="loss", parts={"range": part})
    assert spec.nonfinite == ["/parts/own/range/low"]
    run = trainer(tmp_path, epochs=1)
    run.register("range", part)
    with pytest.raises(RsforgeError, match="parts/own/range/low of the run's state is not finite"):
        run.checkpoint_writer.commit(run.state)
    run.checkpoint_writer.identity = {"kind": "toy", "nonfinite": spec.nonfinite}
    run.checkpoint_writer.commit(run.state)
    assert checkpoint.load(tmp_path / "latest_model.pt")["parts"]["own/range"]["low"].isinf().all()
    part.mean[1] = math.nan
    with pytest.raises(RsforgeError, match="parts/own/range/mean of the run's state is not finite"):
        run.checkpoint_writer.commit(run.state)
