"""Spatial networks: the document's sizes, the bicubic start, exact output sizes."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rsforge.models.recompute import use_checkpointing
from rsforge.models.spectral.back_projection import REACH
from rsforge.models.spectral.resize import average_areas, resize
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR


@pytest.mark.parametrize(
    ("make", "options", "count"),
    [
        (SpatialSR, {}, 2_210_836),
        (LightweightSR, {}, 130_756),
        (LightweightSR, {"width": 32, "layers": 4}, 344_180),
    ],
)
def test_sizes_are_the_documents(make, options, count) -> None:
    with torch.device("meta"):
        net = make(bands=340, **options)
        assert net(torch.empty(1, 340, 34, 34)).shape == (1, 340, 255, 255)
    assert sum(p.numel() for p in net.parameters()) == count
    assert f"{count:,}" in make.__doc__ or f"{count:,}" in LightweightSR.__doc__


@pytest.mark.parametrize("name", ["spatial_sr", "lightweight"])
@pytest.mark.parametrize("scale", [7.5, "10/3", 2, 3, 1, "731/100"])
def test_it_starts_as_bicubic_resampling_at_any_scale(name, scale, network, image) -> None:
    net, x = network(name, scale=scale), image(1, 3, 11, 8)
    y = net(x)
    ratio = Fraction(str(scale))
    assert y.shape[2:] == (int(11 * ratio), int(8 * ratio)) == net.output_size(11, 8)
    torch.testing.assert_close(y, resize(x, ratio))
    assert net.tile_step == ratio.denominator


@pytest.mark.parametrize("name", ["spatial_sr", "lightweight"])
@pytest.mark.parametrize("scale", [7.5, "10/3", 4])
def test_corrections_bring_the_means_of_the_fine_pixels_to_the_coarse_ones(name, scale, network, image) -> None:
    x, ratio = image(1, 3, 11, 8), Fraction(str(scale))
    results = [network(name, scale=scale, corrections=count)(x) for count in range(4)]
    lacking = [x - average_areas(y, (11, 8), ratio) for y in results]
    torch.testing.assert_close(results[1], results[0] + resize(lacking[0], ratio))
    errors = [one.abs().mean().item() for one in lacking]
    assert all(after < before for before, after in pairwise(errors)) and errors[3] < errors[0] / 2


@pytest.mark.parametrize("name", ["spatial_sr", "lightweight"])
def test_corrections_keep_to_the_receptive_field(name, network, image, stirred) -> None:
    net = stirred(network(name, corrections=2))
    reach = net.receptive_field // 2
    x = image(1, 3, 2 * reach + 7, 2 * reach + 7).requires_grad_()
    pixel = reach + 3
    place = int((2 * pixel + 1) * net.scale / 2)
    valid = torch.ones_like(x[:, :1])
    spans = []
    for hole in (slice(0), slice(pixel - reach, pixel - reach + 8)):  # filled from pixels farther away
        valid[:, :, hole] = 0
        (seen,) = torch.autograd.grad(net(x, valid).sum((0, 1))[place, place], x)
        rows = seen[0].abs().sum((0, 2)).nonzero().flatten()
        assert rows[0] >= pixel - reach and rows[-1] <= pixel + reach
        spans.append(rows[-1] - rows[0])
    assert spans[0] >= 2 * (reach - REACH) - 8


@pytest.mark.parametrize(("scale", "stages"), [(1, 0), (1.5, 1), (2, 1), (3, 2), (4, 2), (7.5, 3), (8, 3), (8.5, 4)])
def test_pixel_shuffles_reach_the_scale(scale, stages, network) -> None:
    assert len(network("lightweight", scale=scale).enlarge.stages) == stages


def features_up(net: nn.Module, features: torch.Tensor) -> torch.Tensor:
    for stage in net.enlarge.stages:
        features = F.pixel_shuffle(stage(features), 2)
    return net.leave(resize(features, net.scale / 2 ** len(net.enlarge.stages)))


def test_the_lightweight_network_is_its_layers(network, image, stirred) -> None:
    net, x = stirred(network("lightweight", layers=2)), image(1, 3, 6, 5)
    first = net.enter(x)
    first = first + net.body[2](net.body[0](first).relu()).relu()
    torch.testing.assert_close(net(x), resize(x, net.scale) + features_up(net, first))


def test_the_large_network_is_groups_of_attention_blocks(network, image, stirred) -> None:
    net, x = stirred(network("spatial_sr", groups=2)), image(1, 3, 6, 5)
    first = y = net.enter(x)
    for group in list(net.body)[:2]:
        start = y
        for block in list(group)[:2]:
            enter, _, second, attention = block.layers
            y = y + attention(second(enter(y).relu()))
        y = start + group[2](y)
    torch.testing.assert_close(net(x), resize(x, net.scale) + features_up(net, first + net.body[2](y)))


def test_attention_blocks_are_computed_again_instead_of_kept(network, image) -> None:
    net, passes = network("spatial_sr").train(), []
    net.body[0][0].layers.register_forward_pre_hook(lambda *_: passes.append(1))
    use_checkpointing(net)
    net(image(1, 3, 6, 6)).sum().backward()
    assert len(passes) == 2


def test_attention_over_the_whole_image_has_no_bound(network, image, stirred) -> None:
    net = stirred(network("spatial_sr", window=0))
    assert net.receptive_field is None
    x = image(1, 3, 40, 40).requires_grad_()
    (seen,) = torch.autograd.grad(net(x)[0, :, 0, 0].sum(), x)
    assert seen[0, :, -1, -1].any()


def test_a_fine_ramp_is_found_where_it_was(network) -> None:
    """The coarse image of area means and the target begin at the same corner: the start has no shift to unlearn."""
    fine = torch.arange(255, dtype=torch.float64)
    weights = torch.zeros(34, 510, dtype=torch.float64)
    for pixel in range(34):
        weights[pixel, 15 * pixel : 15 * (pixel + 1)] = 1 / 15
    coarse = weights @ fine.repeat_interleave(2)
    net, x = network("lightweight", bands=1, scale=7.5), coarse.expand(1, 1, 34, 34)
    y = net(x)[0, 0]
    torch.testing.assert_close(y[9, 20:-20], fine[20:-20], atol=1 / 59, rtol=0)
    torch.testing.assert_close(y, net(x.mT)[0, 0].T)


@pytest.mark.parametrize("scale", [0.5, "0", 100])
def test_scales_that_no_network_has_are_refused(scale) -> None:
    with pytest.raises(ValueError, match="a scale of"):
        LightweightSR(bands=3, scale=scale)
