"""Held-out figures: their noise, their weights, and what they leave alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsforge.engine.cadence import Cadence
from rsforge.engine.ema import ExponentialMovingAverage, NoEma
from rsforge.engine.loader import BatchLoader
from rsforge.engine.validation import Validation, evaluating
from tests.engine.toys import CPU, Noisy, Points, Quiet, trainer


class Drawing(Quiet):
    """Notes what it draws for each batch."""

    def __init__(self):
        self.drawn = []

    def evaluate(self, batch):
        self.drawn.append(float(torch.rand(())))
        return {"count": torch.ones(())}


def draw(seed):
    task = Drawing()
    validation = Validation(
        task, BatchLoader(Points(12), batch_size=4, accumulate=2, shuffle=False), device=CPU, seed=seed
    )
    validation()
    validation()
    return task.drawn


def test_every_batch_has_noise_of_its_own_and_the_same_in_every_validation():
    drawn = draw(seed=1)
    assert len(set(drawn[:3])) == 3 and drawn[:3] == drawn[3:]
    assert not set(drawn) & set(draw(seed=2))


def test_evaluation_is_without_dropout_and_gradients_and_training_goes_on_afterwards():
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    with evaluating([net], NoEma()):
        assert not net.training and not net[1].training and not net(torch.ones(1, 2)).requires_grad
    assert net.training and net[1].training and torch.is_grad_enabled()


def test_evaluation_carries_averaged_weights_and_gives_the_trained_ones_back():
    net = nn.Linear(2, 1)
    average = ExponentialMovingAverage({"net": net}, decay=0.9)
    first = net.weight.detach().clone()
    with torch.no_grad():
        net.weight.add_(1)
    with evaluating([net], average):
        assert torch.equal(net.weight, first)
    assert torch.equal(net.weight, first + 1)


@pytest.mark.parametrize("fails", [False, True])
def test_evaluation_leaves_the_random_state_alone(fails):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    try:
        with evaluating([], NoEma()):
            torch.rand(9)
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert torch.equal(torch.rand(2), expected)


class Noting(Noisy):
    """Notes in ``order`` when it is asked for figures."""

    def __init__(self, order):
        super().__init__()
        self.order = order

    def evaluate(self, batch):
        self.order.append("validation")
        return super().evaluate(batch)


def test_what_a_run_measures_is_measured_before_it_validates(tmp_path):
    """Figures of held-out samples are those of the model that is then stored."""
    order = []
    trainer(tmp_path, task=Noting(order), epochs=1, measure=lambda: order.append("measure")).run()
    assert order == ["measure", "validation", "validation"]


LAST = {"validate": Cadence(epochs=4)}


@pytest.mark.parametrize(("cadences", "count"), [({}, 4), (LAST, 2), (LAST | {"preview": Cadence(epochs=1)}, 4)])
def test_it_is_measured_where_an_epoch_ends_with_what_shows_or_keeps_the_model(tmp_path, cadences, count):
    """Four epochs, of which every second ends with a kept checkpoint; all are validated, or the last alone."""
    calls = []
    trainer(tmp_path, epochs=4, measure=lambda: calls.append(None), cadences=cadences).run()
    assert len(calls) == count


def test_a_start_is_validated_without_being_measured(tmp_path):
    order = []
    cadences = {"validate": Cadence(epochs=4), "validate_start": True}
    trainer(tmp_path, task=Noting(order), epochs=1, measure=lambda: order.append("measure"), cadences=cadences).run()
    assert order == [*["validation"] * 2, "measure", *["validation"] * 2]
