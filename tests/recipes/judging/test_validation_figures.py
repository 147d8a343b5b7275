"""The judging of a model by the figures of its validation, one sample after the other."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rsforge.engine import checkpoint
from rsforge.engine.accumulator import MeanOverSamples
from rsforge.recipes.console import SilentConsole
from rsforge.recipes.datasets.named_samples import NamedSamples, NoSamples, unknown_scenes
from rsforge.recipes.judging.judged_side import choose_side
from rsforge.recipes.judging.validation_figures import FigureJudge, load_best, measure_samples
from tests.worlds.items import Named

CPU = torch.device("cpu")


class Scale:
    """y = w x; the loss is |y - x|, that of the baseline |x|, and a third figure is noise."""

    def __init__(self, weight: float) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, weight)

    def modules(self):
        return {"network": self.network}

    def validation(self):
        return MeanOverSamples(self.evaluate)

    def evaluate(self, batch):
        x = batch["x"]
        noise = torch.randn(()) if not x.isnan().any() else x.sum()
        return {"loss": (self.network(x) - x).abs().mean(), "zero": x.abs().mean(), "noise": noise}


def side(*values: float):
    samples = NamedSamples(Named([torch.tensor([value]) for value in values]), ("x",))
    return choose_side(NoSamples(), samples, unknown_scenes)


def test_each_sample_is_measured_alone_with_noise_of_its_own():
    task, state = Scale(0.5), torch.random.get_rng_state()
    rows = measure_samples(task, side(1.0, 2.0), CPU, 3, SilentConsole())
    assert [row["loss"] for row in rows] == [0.5, 1.0] and rows[0]["noise"] != rows[1]["noise"]
    assert rows == measure_samples(task, side(1.0, 2.0), CPU, 3, SilentConsole())
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize("averaged", [False, True])
def test_the_best_weights_are_judged_averaged_where_there_is_an_average(tmp_path, averaged):
    shadow = {"network.weight": torch.tensor([[0.9]])}
    parts = {"ema": {"updates": 1, "shadow": shadow}} if averaged else {}
    state = {"kind": "toy", "nets": {"network": {"weight": torch.tensor([[0.5]])}}, "parts": parts}
    checkpoint.save(tmp_path / "best.pt", state)
    task = Scale(0.0)
    load_best(task, tmp_path / "best.pt")
    assert float(task.network.weight.detach()) == pytest.approx(0.9 if averaged else 0.5)


def test_the_verdict_is_over_the_samples_that_a_baseline_can_judge(tmp_path):
    state = {"kind": "toy", "nets": {"network": {"weight": torch.tensor([[0.5]])}}, "parts": {}}
    checkpoint.save(tmp_path / "best.pt", state)
    judge = FigureJudge(("loss",), {"zero": ("zero",), "absent": ("nowhere",)}, lambda data: data)
    settings, compute = SimpleNamespace(run=SimpleNamespace(seed=0)), SimpleNamespace(device=CPU)
    spec = SimpleNamespace(task=Scale(0.0))
    given = (tmp_path / "best.pt", compute, SilentConsole())
    told = judge(settings, side(1.0, math.nan, 3.0), spec, *given)
    assert told["judged"]["loss"] == {"model": 1.0, "low": 0.5, "high": 1.5, "zero": 2.0}
    assert told["judged"]["better"] and "zero (loss 1, 2)" in told["verdict"]
    assert "no scenes are known: intervals are over single images, and too narrow" in told["judged"]["interval"]
    assert judge(settings, None, spec, *given) == {}
    more = FigureJudge(("loss", "loss_q1"), {"zero": ("zero", "zero_q1")}, lambda data: data)
    assert more(settings, side(1.0, math.nan, 3.0), spec, *given) == told
