"""The perceptual loss looks at features, in full precision, and moves only its first argument."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rsforge.losses.perceptual import network_distance, perceptual


@pytest.fixture
def features() -> nn.Module:
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, 3).requires_grad_(False)


def test_it_is_the_mean_squared_difference_of_features(features) -> None:
    x, y = torch.rand(2, 2, 3, 8, 8)
    torch.testing.assert_close(perceptual(features, x, y), (features(x) - features(y)).square().mean())
    assert perceptual(features, x, x).item() == 0


def test_the_gradient_reaches_the_first_image_only(features) -> None:
    x, y = (torch.rand(1, 3, 8, 8, requires_grad=True) for _ in range(2))
    perceptual(features, x, y).backward()
    assert x.grad.abs().sum() > 0 and y.grad is None


def test_autocast_is_off_inside(features) -> None:
    seen = []

    def listening(x):
        seen.extend([x.dtype, features(x).dtype])
        return features(x)

    x, y = torch.rand(2, 1, 3, 8, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = perceptual(listening, x, y)
    assert set(seen) == {torch.float32} and loss.dtype == torch.float32


def test_a_network_of_distances_moves_the_first_image_only_in_full_precision() -> None:
    seen = []

    def network(x, y):
        seen.extend([x.dtype, y.dtype])
        return (x - y).abs().mean((1, 2, 3))

    x, y = (torch.rand(2, 3, 8, 8).requires_grad_() for _ in range(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = network_distance(network, x, y)
    torch.testing.assert_close(loss, (x - y).abs().mean())
    loss.backward()
    assert x.grad.abs().sum() > 0 and y.grad is None and set(seen) == {torch.float32}
