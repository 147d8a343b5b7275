"""Coverage of true images, by images of one or two numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rsforge.metrics.coverage import find_covered, l1_distances, mean_separation, place_among, rms_distances


def points(*values: float) -> Tensor:
    """Images of one pixel."""
    return torch.tensor(values).view(-1, 1, 1, 1)


TRUTHS = points(0.0, 1.0, 2.0, 3.0)
"""Their distances are 1, 2, 3, 1, 2, 1: 10 / 6 in the mean, half of it 0.833."""


def cover(draws: Tensor, truths: Tensor = TRUTHS) -> list[bool]:
    return find_covered(l1_distances(draws, truths), l1_distances(truths, truths)).tolist()


def test_distances_are_of_every_pair():
    x, y = torch.rand(2, 3, 4, 4), torch.rand(5, 3, 4, 4)
    distances = l1_distances(x, y)
    assert distances.shape == (2, 5) and float(distances[1, 3]) == pytest.approx(float((x[1] - y[3]).abs().mean()))
    assert mean_separation(l1_distances(TRUTHS, TRUTHS)) == pytest.approx(10 / 6)


def test_a_truth_is_covered_by_a_draw_that_is_nearest_to_it_and_near():
    assert cover(points(0.1, 2.2)) == [True, False, True, False]
    assert cover(points(0.0, 1.0, 2.0, 3.0)) == [True] * 4
    assert cover(points(0.1, 0.2, 0.0)) == [True, False, False, False]


def test_a_draw_that_is_near_but_nearer_to_another_covers_that_one_alone():
    assert cover(points(0.6)) == [False, True, False, False]


@pytest.mark.parametrize(("place", "covered"), [(-0.83, True), (-0.84, False)])
def test_near_is_below_half_of_the_mean_distance_between_truths(place, covered):
    assert cover(points(place))[0] == covered


def test_the_mean_of_far_draws_covers_nothing():
    truths = torch.eye(4).view(4, 1, 2, 2)
    assert cover(truths, truths) == [True] * 4
    assert cover(truths.mean(0, keepdim=True), truths) == [False] * 4


def test_equal_truths_are_never_covered():
    truths = points(1.0, 1.0)
    assert cover(points(1.0), truths) == [False, False]
    places = place_among(truths, truths)
    assert places.shape == (2, 0)


def test_errors_that_look_like_no_difference_of_truths_do_not_count():
    generator = torch.Generator().manual_seed(0)
    truths = torch.randn(4, 3, 8, 8, generator=generator, dtype=torch.float64)
    error = torch.randn(3, 8, 8, generator=generator, dtype=torch.float64)
    basis = (truths[1:] - truths[0]).flatten(1).T
    inside = basis @ torch.linalg.lstsq(basis, error.flatten()[:, None]).solution
    outside = (error.flatten() - inside[:, 0]).view(3, 8, 8)
    places, far = place_among(truths, truths), place_among(truths + 10 * outside, truths)
    torch.testing.assert_close(places, far)
    plain = (truths[0] - truths[3]).square().sum().sqrt()
    torch.testing.assert_close((places[0] - places[3]).square().sum().sqrt(), plain)
    between = rms_distances(places, places)
    assert find_covered(rms_distances(far, places), between).tolist() == [True] * 4
    assert find_covered(rms_distances(places.mean(0, keepdim=True), places), between).tolist() == [False] * 4
