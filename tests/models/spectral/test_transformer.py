"""Attention among channels, against its equations, window by window."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.models.spectral.transformer import SpectralAttention, SpectralTransformer


def test_its_size_is_that_of_its_model() -> None:
    with torch.device("meta"):
        net = SpectralTransformer(bands=340)
        assert net(torch.empty(1, 7, 17, 12)).shape == (1, 340, 17, 12)
    found = sum(p.numel() for p in net.parameters())
    assert found == pytest.approx(1.62e6, rel=0.03)
    assert f"{found:,}" in SpectralTransformer.__doc__


@pytest.fixture
def attention(stirred):
    def make(window: int) -> SpectralAttention:
        torch.manual_seed(0)
        return stirred(SpectralAttention(6, heads=2, window=window).double())

    return make


def reference(attention: SpectralAttention, x: torch.Tensor) -> torch.Tensor:
    """Of one window ``(6, h, w)``, head by head: softmax over channels of their products over pixels."""
    q, k, v = torch.einsum("oi,ihw->ohw", attention.to_qkv.weight[..., 0, 0], x).flatten(1).chunk(3)
    heads = []
    for head, part in enumerate((slice(0, 3), slice(3, 6))):
        unit_q, unit_k = (t[part] / t[part].norm(dim=1, keepdim=True) for t in (q, k))
        heads.append((attention.sharpness[head] * unit_q @ unit_k.T).softmax(1) @ v[part])
    return torch.cat(heads).view(x.shape)


@pytest.mark.parametrize("window", [4, 0])
def test_attention_is_that_of_its_equations(attention, window, image) -> None:
    net, x = attention(window), image(2, 6, 6, 9)
    q, k, v = net.to_qkv(x).chunk(3, dim=1)
    expected = torch.empty_like(x)
    step = window or 9
    for item in range(2):
        for row in range(0, 6, step):
            for column in range(0, 9, step):
                place = (item, slice(None), slice(row, row + step), slice(column, column + step))
                expected[place] = reference(net, x[place])
    torch.testing.assert_close(net._attend(q, k, v), expected)
    torch.testing.assert_close(net(x), net.to_out(expected) + net.place(v))


def test_pixels_without_signal_have_finite_gradients(attention) -> None:
    net = attention(4)
    x = torch.zeros(1, 6, 6, 6, dtype=torch.float64, requires_grad=True)
    net(x).square().sum().backward()
    assert x.grad.isfinite().all() and x.grad.abs().max() < 1e3


def test_the_whole_image_as_a_window_has_no_bound(network, image, stirred) -> None:
    net = stirred(network("spectral_transformer", window=0))
    assert net.receptive_field is None and net.tile_step == 1
    x = image(1, 3, 30, 30).requires_grad_()
    (seen,) = torch.autograd.grad(net(x)[0, :, 0, 0].sum(), x)
    assert seen[0, :, -1, -1].any()


@pytest.mark.parametrize("window", [1, 2, 4])
def test_the_field_is_that_of_windows_or_of_the_convolutions_beside_them(window, network, image, stirred) -> None:
    net = stirred(network("spectral_transformer", window=window))
    reach = net.receptive_field // 2
    assert reach == 2 + 2 * (max(window - 1, 2) + 1)
    x = image(1, 3, 2 * reach + 9, 2 * reach + 9).requires_grad_()
    y, widest = net(x).sum((0, 1)), 0
    for pixel in range(reach, reach + 8):
        (seen,) = torch.autograd.grad(y[pixel, pixel], x, retain_graph=True)
        rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
        widest = max(widest, pixel - int(rows[0]), int(rows[-1]) - pixel)
    assert widest == reach


def test_a_feature_skips_the_blocks(network, image, stirred) -> None:
    net, x = stirred(network("spectral_transformer", blocks=0)), image(1, 3, 6, 6)
    torch.testing.assert_close(net.residual(x, net.ridge(x)), net.leave(2 * net.enter(x)))


def test_blocks_normalise_before_and_add_after(network, image, stirred) -> None:
    net = stirred(network("spectral_transformer"))
    block, x = net.blocks[0], image(1, 8, 5, 6)
    norms = [F.layer_norm(x.movedim(1, -1), (8,), block.norm1.weight, block.norm1.bias).movedim(-1, 1)]
    between = x + block.attention(norms[0])
    expected = between + block.feed_forward(block.norm2(between))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize("heads", [0, 3])
def test_a_width_that_heads_do_not_divide_is_refused(heads) -> None:
    with pytest.raises(ValueError, match=f"no multiple of {heads} heads"):
        SpectralTransformer(bands=4, width=8, heads=heads)
