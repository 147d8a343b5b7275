"""Borders that are mirrored, and attention that looks no further than it says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsforge.models.spectral.layers import ChannelAttention, MirrorConv, PixelNorm, make_zero, require_bands


def test_a_convolution_is_mirrored_beyond_the_border(image) -> None:
    x, conv = image(1, 2, 5, 6), MirrorConv(2, 3).double()
    mirrored = torch.cat([x[..., 1:2, :], x, x[..., -2:-1, :]], 2)
    mirrored = torch.cat([mirrored[..., 1:2], mirrored, mirrored[..., -2:-1]], 3)
    torch.testing.assert_close(conv(x), F.conv2d(mirrored, conv.weight, conv.bias))


def test_a_flat_image_stays_flat_up_to_its_border() -> None:
    """Zeros beyond the border would darken the outermost pixels of every scene."""
    y = MirrorConv(2, 3)(torch.ones(1, 2, 4, 5))
    assert (y - y[..., :1, :1]).abs().max() < 1e-6


def test_one_row_of_pixels_is_repeated(image) -> None:
    x, conv = image(1, 2, 1, 4), MirrorConv(2, 2).double()
    torch.testing.assert_close(conv(x), conv(x.expand(1, 2, 3, 4))[:, :, 1:2])


def test_a_zero_layer_gives_zeros(image) -> None:
    assert not make_zero(MirrorConv(2, 3)).double()(image(1, 2, 4, 4)).any()
    assert not make_zero(nn.Conv2d(2, 3, 1, bias=False)).double()(image(1, 2, 4, 4)).any()


def test_a_pixel_is_normalised_from_its_own_channels(image) -> None:
    x, norm = image(2, 5, 3, 4), PixelNorm(5).double()
    y = norm(x)
    torch.testing.assert_close(y[1, :, 2, 3], F.layer_norm(x[1, :, 2, 3], (5,)))
    other = x.clone()
    other[:, :, 0, 0] += 3
    assert torch.equal(norm(other)[:, :, 1:], y[:, :, 1:])


def reference(attention: ChannelAttention, x: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """The factors at one pixel, from the mean of what the window holds of the image."""
    half = attention.window // 2
    near = x[..., max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
    near = x if attention.window == 0 else near
    mean = near.mean((2, 3), keepdim=True)
    return attention.excite(attention.squeeze(mean).relu()).sigmoid()[:, :, 0, 0]


@pytest.mark.parametrize("window", [0, 1, 3, 5])
@pytest.mark.parametrize("place", [(0, 0), (3, 2), (5, 6)])
def test_factors_follow_from_the_means_in_the_window(window, place, image, stirred) -> None:
    attention = stirred(ChannelAttention(8, reduction=2, window=window).double())
    x = image(2, 8, 6, 7)
    expected = x[..., place[0], place[1]] * reference(attention, x, *place)
    torch.testing.assert_close(attention(x)[..., place[0], place[1]], expected)


@pytest.mark.parametrize(("channels", "inner"), [(3, 4), (64, 4), (96, 6)])
def test_attention_of_few_channels_has_four_within(channels, inner) -> None:
    assert ChannelAttention(channels, reduction=16, window=1).squeeze.out_channels == inner


def test_a_window_without_a_middle_is_refused() -> None:
    with pytest.raises(ValueError, match="4 pixels has no middle"):
        ChannelAttention(8, reduction=2, window=4)


def test_an_image_of_three_axes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 4, 4\); 3 bands are expected"):
        require_bands(torch.ones(3, 4, 4), 3)
