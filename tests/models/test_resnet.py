"""Residual blocks and changes of resolution."""

from __future__ import annotations

import pytest
import torch

from rsforge.models.resnet import Downsample, ResnetBlock, Upsample, group_count


@pytest.mark.parametrize("symmetric", [True, False])
def test_downsampling_halves_even_sides(symmetric: bool) -> None:
    assert Downsample(4, symmetric=symmetric)(torch.randn(1, 4, 6, 10)).shape == (1, 4, 3, 5)


def test_upsampling_doubles_or_goes_to_the_size_it_is_told() -> None:
    up = Upsample(4)
    x = torch.randn(1, 4, 3, 5)
    assert up(x).shape == (1, 4, 6, 10)
    assert up(x, (5, 9)).shape == (1, 4, 5, 9)
    torch.testing.assert_close(up(x, (6, 10)), up(x))


@pytest.mark.parametrize("out_channels", [8, 16])
def test_without_its_second_convolution_a_block_is_its_shortcut(out_channels: int) -> None:
    block = ResnetBlock(8, out_channels, groups=4, eps=1e-5, time_width=12)
    torch.nn.init.zeros_(block.conv2.weight)
    torch.nn.init.zeros_(block.conv2.bias)
    x = torch.randn(2, 8, 4, 4)
    torch.testing.assert_close(block(x, torch.randn(2, 12)), block.conv_shortcut(x))


def test_the_time_embedding_reaches_every_item_by_itself() -> None:
    block = ResnetBlock(8, 8, groups=4, eps=1e-5, time_width=12)
    x, emb = torch.randn(1, 8, 4, 4).expand(2, -1, -1, -1), torch.randn(2, 12)
    first, second = block(x, emb)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(first, block(x[:1], emb[:1])[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("widths", "groups"),
    [((320, 640, 1280), 32), ((128, 256), 32), ((32, 64, 64), 8), ((40, 64), 8), ((20, 30), 5), ((7,), 1)],
)
def test_groups_divide_every_width_and_hold_four_channels(widths: tuple[int, ...], groups: int) -> None:
    assert group_count(widths) == groups
