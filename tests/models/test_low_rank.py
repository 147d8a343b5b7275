"""Low-rank updates and the weights they change."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsforge.models.low_rank import LowRankUpdate, merge_updates


def update(*shapes, alpha=3.0):
    torch.manual_seed(0)
    return LowRankUpdate(*(torch.randn(shape) for shape in shapes), alpha)


def test_the_change_is_that_of_the_formula():
    one = update((2, 5), (7, 2))
    expected = torch.einsum("or,ri->oi", one.up, one.down) * 1.5
    assert one.rank == 2
    torch.testing.assert_close(one.compute((7, 5)), expected)
    torch.testing.assert_close(one.compute((7, 5, 1, 1))[:, :, 0, 0], expected)


def test_a_convolution_is_two_one_after_the_other():
    one, x = update((2, 5, 3, 3), (7, 2, 1, 1), alpha=2.0), torch.randn(1, 5, 6, 6)
    both = nn.functional.conv2d(nn.functional.conv2d(x, one.down, padding=1), one.up)
    torch.testing.assert_close(nn.functional.conv2d(x, one.compute((7, 5, 3, 3)), padding=1), both)


@pytest.mark.parametrize(
    ("shapes", "weight", "fits"),
    [
        (((2, 5), (7, 2)), (7, 5), True),
        (((2, 5, 1, 1), (7, 2, 1, 1)), (7, 5), True),
        (((2, 5), (7, 2)), (7, 5, 1, 1), True),
        (((2, 5, 3, 3), (7, 2, 1, 1)), (7, 5, 3, 3), True),
        (((2, 5), (7, 2)), (5, 7), False),
        (((2, 5), (7, 3)), (7, 5), False),
        (((2, 5, 3, 3), (7, 2, 1, 1)), (7, 5), False),
        (((2, 5), (7, 2)), (7, 5, 3, 3), False),
        (((2,), (7, 2)), (7, 5), False),
    ],
)
def test_what_fits_a_weight(shapes, weight, fits):
    assert update(*shapes).fits(weight) is fits


def test_merging_adds_to_the_named_layers_alone():
    network = nn.Sequential(nn.Linear(5, 7), nn.Conv2d(5, 7, 1)).requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    one = update((2, 5), (7, 2))
    merge_updates(network, {"1": one}, 0.5)
    state = network.state_dict()
    torch.testing.assert_close(state["1.weight"], before["1.weight"] + 0.5 * one.compute((7, 5, 1, 1)))
    assert all(torch.equal(state[name], before[name]) for name in ("0.weight", "0.bias", "1.bias"))
    with pytest.raises(KeyError):
        merge_updates(network, {"2": one})


def test_half_precision_is_rounded_once():
    network, one = nn.Linear(5, 7).bfloat16().requires_grad_(False), update((2, 5), (7, 2))
    expected = (network.weight.float() + one.compute((7, 5))).bfloat16()
    merge_updates(nn.Sequential(network), {"0": one})
    assert torch.equal(network.weight, expected)
