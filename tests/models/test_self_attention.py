"""Attention over pixels, against one pixel after another."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rsforge.models.self_attention import SelfAttention


@pytest.fixture
def attention() -> SelfAttention:
    torch.manual_seed(0)
    return SelfAttention(16).double()


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_it_is_the_softmax_formula_pixel_by_pixel(attention) -> None:
    x = images(2, 16, 3, 4)
    with torch.no_grad():
        attention.gamma.fill_(0.7)
        f, g, h = (layer(x).flatten(2) for layer in (attention.query, attention.key, attention.value))
        expected = x.clone()
        for b in range(2):
            for j in range(12):
                scores = [math.exp(torch.dot(f[b, :, j], g[b, :, i])) for i in range(12)]
                seen = sum(score * h[b, :, i] for i, score in enumerate(scores)) / sum(scores)
                turned = attention.out.weight[:, :, 0, 0] @ seen + attention.out.bias
                expected[b, :, j // 4, j % 4] += 0.7 * turned
        torch.testing.assert_close(attention(x), expected)
    assert (expected - x).abs().max() > 0.01


def test_it_starts_as_the_identity_and_its_weight_is_the_first_to_learn(attention) -> None:
    x = images(2, 16, 4, 4)
    y = attention(x)
    assert torch.equal(y, x)
    (y * images(2, 16, 4, 4).flip(0)).sum().backward()
    assert attention.gamma.grad.abs() > 1e-3
    assert not attention.query.weight.grad.any()
    with torch.no_grad():
        attention.gamma -= 0.1 * attention.gamma.grad.sign()
    attention.zero_grad()
    attention(x).square().sum().backward()
    # A bias of all queries' keys alike moves no softmax.
    assert all(p.grad.any() for name, p in attention.named_parameters() if name != "key.bias")


def test_every_place_is_seen_and_no_other_image(attention) -> None:
    with torch.no_grad():
        attention.gamma.fill_(1.0)
    x = images(2, 16, 4, 4).requires_grad_()
    (slope,) = torch.autograd.grad(attention(x)[0, :, 0, 0].sum(), x)
    assert slope[0].abs().sum(0).min() > 0
    assert not slope[1].any()


def test_a_gradient_penalty_can_be_taken_through_it() -> None:
    small = SelfAttention(4).double()
    with torch.no_grad():
        small.gamma.fill_(1.0)
    assert torch.autograd.gradgradcheck(small, images(1, 4, 2, 2).requires_grad_())


@pytest.mark.parametrize("channels", [1, 4, 7, 64])
def test_any_number_of_channels(channels) -> None:
    assert SelfAttention(channels).double()(images(1, channels, 2, 5)).shape == (1, channels, 2, 5)
