"""Fine pixels keep the means of the coarse ones, and what is not known of these reaches no other."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from rsforge.data.scenes.tiling import scale_mask
from rsforge.models.spectral.back_projection import correct_means, fill_holes
from rsforge.models.spectral.baselines import Bicubic
from rsforge.models.spectral.resize import average_areas, resize
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR

SCALE = Fraction(15, 2)


def draw(height: int = 12, width: int = 14) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(3), dtype=torch.float64) + 1


def cut_hole(x: torch.Tensor, rows: slice, cols: slice) -> torch.Tensor:
    valid = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    valid[..., rows, cols] = 0
    return valid


def test_a_hole_is_the_mean_of_the_valid_pixels_around_it():
    x = draw()
    valid = cut_hole(x, slice(0, 12), slice(0, 8))
    filled = fill_holes(x, valid)
    assert torch.equal(filled[..., 8:], x[..., 8:]) and fill_holes(x, None) is x
    torch.testing.assert_close(filled[..., 5, 6], x[..., 2:9, 8:10].mean((2, 3)))
    torch.testing.assert_close(filled[..., 0, 7], x[..., :4, 8:11].mean((2, 3)))
    assert filled[..., 5].all() and not filled[..., :5].any()  # farther from any


@pytest.mark.parametrize("count", [1, 3])
def test_what_the_means_lack_is_added_resampled(count):
    x = draw()
    fine = expected = resize(x, SCALE)
    for _ in range(count):
        expected = expected + resize(x - average_areas(expected, (12, 14), SCALE), SCALE)
    assert torch.equal(correct_means(fine, x, SCALE, count), expected)
    assert correct_means(fine, x, SCALE, 0) is fine


@pytest.mark.parametrize("scale", ["15/2", "4", "1"])
@pytest.mark.parametrize("hole", [(slice(4, 6), slice(3, 6)), (slice(0, 12), slice(0, 9))])
def test_nothing_of_a_hole_reaches_a_valid_pixel(scale, hole):
    """Neither what files hold there, nor that it is far below its neighbours."""
    x, like, ratio = draw(), LightweightSR(bands=3, scale=scale, width=4), Fraction(scale)
    valid = cut_hole(x, *hole)
    net = Bicubic(like, scale, 2).double()
    holds = torch.from_numpy(scale_mask(valid[0, 0].numpy() > 0, ratio))
    results = [net(x.where(valid > 0, filler), valid)[:, :, holds] for filler in (0.0, 50.0)]
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)
    level = net(valid.expand_as(x), valid)[:, :, holds]
    torch.testing.assert_close(level, torch.ones_like(level))


@pytest.mark.parametrize("make", [SpatialSR, LightweightSR])
def test_holes_are_filled_before_networks_too(make):
    torch.manual_seed(0)
    net = make(bands=3, scale="5/2", width=4, corrections=2).double().eval()
    torch.nn.init.normal_(net.leave.weight, std=0.1)
    x = draw()
    valid = cut_hole(x, slice(4, 6), slice(3, 5))  # all of it has valid neighbours
    assert torch.equal(net(x.where(valid > 0, 0.0), valid), net(x.where(valid > 0, 50.0), valid))
    assert torch.equal(net(x, torch.ones_like(valid)), net(x))
