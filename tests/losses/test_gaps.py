"""Pixels without data: no distance, no gradient, and figures of the others alone."""

from __future__ import annotations

import pytest
import torch

from rsforge.losses.gaps import VALID, Gaps, NoGaps, find_gaps, find_latent_gaps, shrink_valid
from rsforge.metrics.image import psnr, ssim


def halves(count: int = 2, size: int = 32):
    """Images, others, and a mask that is False in the left half of the first and in all of the last."""
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(count, 3, size, size, generator=generator) * 2 - 1 for _ in range(2))
    valid = torch.ones(count, 1, size, size, dtype=torch.bool)
    valid[0, ..., : size // 2], valid[-1] = False, False
    return x, y, valid


def test_a_batch_without_gaps_pays_nothing():
    x, y, _ = halves()
    gaps = find_gaps({"images": x})
    assert type(gaps) is NoGaps and gaps.fill(x, y) is x and gaps.valid is None and gaps.name_share("share") == {}
    mean = x.mean()
    assert gaps.over_valid(mean) is mean and gaps.over_valid_of_each(mean) is mean
    assert torch.equal(gaps.average(x[:, 0, 0, 0]), x[:, 0, 0, 0].mean())


def test_in_gaps_there_is_no_distance_and_no_gradient():
    x, y, valid = halves()
    x.requires_grad_()
    filled = find_gaps({VALID: valid}).fill(x, y)
    filled.sub(y).square().mean().backward()
    everywhere = valid.expand_as(x)
    assert torch.equal(filled[~everywhere], y[~everywhere]) and torch.equal(filled[everywhere], x[everywhere])
    assert not x.grad[~everywhere].any() and x.grad[everywhere].all()


def test_means_are_over_the_pixels_that_hold_data():
    x, y, valid = halves(3)
    gaps = Gaps(valid)
    error = (gaps.fill(x, y) - y).abs()
    expected = (x - y).abs()[valid.expand_as(x)].mean()
    torch.testing.assert_close(gaps.over_valid(error.mean()), expected)
    each = gaps.over_valid_of_each(error.flatten(1).mean(1))
    torch.testing.assert_close(each[0], (x - y)[0, ..., 16:].abs().mean())
    assert each.isfinite().all() and gaps.name_share("share")["share"] == pytest.approx(0.5)
    torch.testing.assert_close(gaps.average(each), expected)  # an image without data has no weight


def test_an_image_without_data_does_not_make_figures_infinite():
    x, y, valid = halves(2)
    gaps = Gaps(valid)
    of_first = 10 * (4 / (x - y)[0, ..., 16:].square().mean()).log10()
    torch.testing.assert_close(gaps.average(psnr(gaps.fill(x, y), y, valid)), of_first)
    assert gaps.average(ssim(gaps.fill(x, y), y, valid)).isfinite()


def test_a_cell_of_a_latent_holds_data_where_all_its_pixels_do():
    valid = torch.ones(2, 1, 16, 16, dtype=torch.bool)
    valid[0, 0, 5, 15] = False
    cells = shrink_valid(valid, (4, 4))
    assert cells.dtype == torch.bool and cells.shape == (2, 1, 4, 4) and (~cells).nonzero().tolist() == [[0, 0, 1, 3]]
    assert torch.equal(shrink_valid(valid[0], (4, 4)), cells[0]) and torch.equal(shrink_valid(cells, (4, 4)), cells)
    assert torch.equal(find_latent_gaps({VALID: valid}, torch.zeros(2, 8, 4, 4)).valid, cells)
    assert find_latent_gaps({VALID: valid}, torch.zeros(2, 8)).valid is None
    assert find_latent_gaps({}, torch.zeros(2, 8, 4, 4)).valid is None
