"""Fine pixels whose area means are given ones, against the weights of another implementation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from rsforge.data.cubes.resample import area_weights
from rsforge.models.spectral.area_consistency import area_means, project_to_area_means

SCALES = [("15/2", 6, 4), ("15/2", 5, 3), ("3", 4, 5), ("5/3", 7, 8), ("1", 3, 3)]


def draw(scale: str, height: int, width: int):
    ratio = Fraction(scale)
    generator = torch.Generator().manual_seed(height)
    fine = torch.rand(2, int(height * ratio), int(width * ratio), generator=generator) * 5 - 1
    return fine, torch.rand(2, height, width, generator=generator) * 4, ratio


def average(fine: torch.Tensor, scale: Fraction) -> torch.Tensor:
    rows, cols = (torch.from_numpy(area_weights(side, scale)) for side in fine.shape[1:])
    return rows @ fine.double() @ cols.T


@pytest.mark.parametrize(("scale", "height", "width"), SCALES)
def test_means_over_whole_pixels_are_exact(scale, height, width):
    fine, _, ratio = draw(scale, height, width)
    expected = average(fine, ratio)
    means = area_means(fine, height, width, ratio)
    assert means.shape == (2, height, width)
    torch.testing.assert_close(means[:, : expected.shape[1], : expected.shape[2]], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("scale", "height", "width"), SCALES)
def test_means_are_met_and_nothing_is_negative(scale, height, width):
    fine, coarse, ratio = draw(scale, height, width)
    nearest, met = project_to_area_means(fine, coarse, ratio)
    assert nearest.shape == fine.shape and met.all() and float(nearest.min()) >= 0
    got = area_means(nearest, height, width, ratio)
    torch.testing.assert_close(got, coarse.double(), rtol=0, atol=1e-6)


def test_the_result_is_the_nearest():
    """As by non-negative least squares with the means as stiff equations."""
    fine, coarse, ratio = draw("3", 1, 1)
    nearest, _ = project_to_area_means(fine[:1], coarse[:1], ratio)
    stiff = 1e5
    system = np.vstack([np.eye(9), stiff * np.full((1, 9), 1 / 9)])
    expected, _ = nnls(system, np.append(fine[0].numpy().ravel().astype(float), stiff * float(coarse[0, 0, 0])))
    np.testing.assert_allclose(nearest[0].numpy().ravel(), expected, atol=1e-4)


def test_what_meets_the_means_already_stays():
    fine, _, ratio = draw("15/2", 4, 4)
    fine = fine.abs()
    nearest, _ = project_to_area_means(fine, area_means(fine, 4, 4, ratio).float(), ratio)
    torch.testing.assert_close(nearest, fine, rtol=0, atol=1e-5)


def test_means_that_cannot_be_met_together_are_told():
    fine, _, ratio = draw("4/3", 3, 3)
    coarse = torch.zeros(2, 3, 3)
    coarse[:, 1, 1] = 4  # this pixel shares all of its fine ones with neighbours that are 0
    _, met = project_to_area_means(fine, coarse, ratio)
    assert not met.all()


def test_a_block_with_a_gap_stays_as_it_is():
    fine, coarse, ratio = draw("15/2", 6, 4)
    coarse[0, 0, 1] = torch.nan
    nearest, met = project_to_area_means(fine, coarse, ratio)
    expected = torch.ones(6, 4, dtype=torch.bool)
    expected[:2, :2] = False
    assert torch.equal(met, expected)
    assert torch.equal(nearest[0, :15, :15], fine[0, :15, :15])


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="is expected"):
        project_to_area_means(torch.zeros(2, 30, 31), torch.zeros(2, 4, 4), Fraction(15, 2))
