from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from rsforge.engine.optimizers import (
    OPTIMIZERS,
    OptimizerOptions,
    build,
    check_available,
    check_optimizer,
    divide_groups,
)
from rsforge.errors import RsforgeError


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2), nn.Flatten(), nn.Linear(2, 1))


def steps(optimizer, net, count=3):
    for k in range(count):
        optimizer.zero_grad()
        net(torch.full((2, 1, 3, 3), k + 1.0)).sum().backward()
        optimizer.step()
    return [p.detach().clone() for p in net.parameters()]


@pytest.mark.parametrize(("name", "theirs"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_named_optimizers_are_torchs(name, theirs):
    values = {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1}
    ours, reference = network(), network()
    options = OptimizerOptions(name, learning_rate=1e-2, **values)
    made = steps(build(options, list(ours.parameters())), ours)
    expected = steps(theirs(reference.parameters(), lr=1e-2, **values, fused=True), reference)
    torch.testing.assert_close(made, expected, rtol=0, atol=0)


def test_norms_and_biases_can_be_spared_the_decay():
    net = network()
    optimizer = build(OptimizerOptions(weight_decay=0.1, decay_all=False), list(net.parameters()))
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decay[id(p)] for p in net.parameters()] == [0.1, 0, 0, 0, 0.1, 0]


def test_by_default_all_decay_in_one_group():
    assert len(build(OptimizerOptions(weight_decay=0.1), list(network().parameters())).param_groups) == 1


def test_groups_are_divided_by_the_factors_on_their_rates():
    net = network()
    optimizer = build(OptimizerOptions(weight_decay=0.1, decay_all=False), list(net.parameters()))
    slow = dict.fromkeys(net[0].parameters(), 0.2)
    factors = divide_groups(optimizer, slow)
    found = {p: f for group, f in zip(optimizer.param_groups, factors, strict=True) for p in group["params"]}
    assert [found[p] for p in net.parameters()] == [0.2, 0.2, 1, 1, 1, 1]
    decay = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert [decay[p] for p in net.parameters()] == [0.1, 0, 0, 0, 0.1, 0]
    assert divide_groups(build(OptimizerOptions(), list(net.parameters())), {}) == [1.0]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(RsforgeError) as caught:
        check_available("adamw-8bit")
    assert caught.value.code == "RSF-E006" and "bitsandbytes" in caught.value.fix


def test_eight_bits_come_from_the_package_that_has_them(monkeypatch):
    class Module:
        AdamW8bit = torch.optim.SGD

    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", Module)
    monkeypatch.setattr(OptimizerOptions, "common", lambda self: {"lr": self.learning_rate})
    assert isinstance(build(OptimizerOptions("adamw-8bit"), list(network().parameters())), torch.optim.SGD)
    assert set(OPTIMIZERS) == {"adamw", "adam", "adamw-8bit"}


@pytest.mark.parametrize("change", ["shape", "missing", "text", "option"])
def test_moments_of_other_shapes_and_options_of_other_types_are_refused(change):
    net = network()
    optimizer = build(OptimizerOptions(), list(net.parameters()))
    steps(optimizer, net)
    check_optimizer(optimizer, name="net", where="a.pt")
    saved = optimizer.state_dict()
    if change == "option":
        saved["param_groups"][0]["lr"] = "fast"
    else:
        saved["state"][0] = {
            "shape": {**saved["state"][0], "exp_avg": torch.ones(1)},
            "missing": {"step": torch.tensor(1.0)},
            "text": {**saved["state"][0], "exp_avg_sq": "x"},
        }[change]
    optimizer.load_state_dict(saved)
    with pytest.raises(RsforgeError) as caught:
        check_optimizer(optimizer, name="net", where="a.pt")
    assert caught.value.code == "RSF-C007"
