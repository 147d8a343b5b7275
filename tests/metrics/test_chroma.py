"""Errors of colour that count more than those of brightness."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from rsforge.metrics.chroma import stretch_chroma
from rsforge.metrics.image import chroma_share
from rsforge.metrics.lapped_code import fit_lapped_code


def test_errors_of_chroma_count_as_often_as_the_weight_says():
    """By hand: brightness 1 is off by 1 in three channels, chroma by (1, 0, -1)."""
    one = torch.tensor([2.0, 1.0, 0.0]).view(1, 3, 1, 1)
    for weight in (0.25, 1, 9):
        assert float(stretch_chroma(one, weight).square().sum()) == pytest.approx(3 + 2 * weight)
    assert stretch_chroma(one, 1) is one


def restore(images, code):
    codes = F.conv2d(F.pixel_unshuffle(images, 4) - code["mean"].view(-1, 1, 1), code["encoder"], padding=1)
    return F.pixel_shuffle(F.conv2d(codes, code["decoder"], padding=1) + code["mean"].view(-1, 1, 1), 4)


def test_a_code_keeps_more_colour_the_more_it_counts_and_is_best_by_the_error_it_was_fitted_to():
    generator = torch.Generator().manual_seed(0)
    grey, colour = (torch.rand(24, n, 9, 9, generator=generator) for n in (1, 3))
    images = F.interpolate(0.7 * grey + 0.3 * colour, size=(32, 32), mode="bicubic").clamp(0, 1).mul(255).byte()
    x, shares, errors = images.float() / 127.5 - 1, {}, {}
    for fitted in (1.0, 16.0):
        made = restore(x, fit_lapped_code(images, 4, 4, fitted))
        shares[fitted] = float(chroma_share(made, x).mean())
        errors[fitted] = {w: float(stretch_chroma(made - x, w).square().mean()) for w in (1.0, 16.0)}
    assert shares[16.0] > shares[1.0] + 0.1
    assert errors[1.0][1.0] < errors[16.0][1.0] and errors[16.0][16.0] < errors[1.0][16.0]
