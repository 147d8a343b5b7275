"""What an average keeps: the warm-up of its decay, trained weights alone, and all of it across a resume."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsforge.engine.ema import ExponentialMovingAverage


def move(net):
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(1)


def test_the_decay_rises_with_each_update_to_its_bound():
    net = nn.Linear(1, 1)
    average, decays = ExponentialMovingAverage({"net": net}, decay=0.3), []
    for _ in range(5):
        decays.append(average.decay_now())
        average.update()
    assert decays == pytest.approx([1 / 10, 2 / 11, 3 / 12, 0.3, 0.3])


def test_a_resumed_average_goes_on_as_one_never_interrupted():
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    whole = ExponentialMovingAverage({"net": net}, decay=0.9)
    for _ in range(3):
        move(net)
        whole.update()
    resumed = ExponentialMovingAverage({"net": nn.Linear(2, 2)}, decay=0.9)
    resumed.live = whole.live
    resumed.load_state_dict(whole.state_dict())
    for average in (whole, resumed):
        average.update()
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_only_trained_weights_are_averaged():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    average = ExponentialMovingAverage({"net": net}, decay=0.9, trained=net[1].parameters())
    assert set(average.state_dict()["shadow"]) == {"net.1.weight", "net.1.bias"}
    move(net)
    live = net[0].weight.detach().clone()
    with average.averaged_weights():
        assert torch.equal(net[0].weight, live)
