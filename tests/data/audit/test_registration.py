"""Shifts between images of different physics."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.audit.registration import (
    CERTAIN,
    Shift,
    common_shift,
    direction_agreement,
    double_angle_gradient,
    measure_shift,
)
from tests.worlds.pairs import fields


@pytest.mark.parametrize("moved", [(4, 0), (0, -4), (-3, 5), (10, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_shift_is_found_within_half_a_pixel(moved, seed):
    sar, optical = fields(128, seed)
    found = measure_shift(sar, np.roll(optical, moved, (0, 1)))
    assert abs(found.rows - moved[0]) < 0.5 and abs(found.cols - moved[1]) < 0.5
    assert found.confidence > CERTAIN and found.conclusive


def test_moving_the_sar_image_is_the_opposite_shift():
    sar, optical = fields(128, 2)
    found = measure_shift(np.roll(sar, (4, 0), (0, 1)), optical)
    assert found.rows == pytest.approx(-4, abs=0.5) and found.cols == pytest.approx(0, abs=0.5)


def test_black_borders_are_no_shift_and_hide_none():
    sar, optical = fields(128, 3)
    moved = np.zeros_like(optical)
    moved[4:] = optical[:-4]
    assert measure_shift(sar, moved).rows == pytest.approx(4, abs=0.5)
    sar[:4] = 0
    assert measure_shift(sar, optical).length < 0.5


def test_half_a_pixel_is_measured():
    sar, optical = fields(256, 4)
    wide = np.kron(optical, np.ones((1, 2, 1)))
    apart = wide[:, 1:-1:2] / 2 + wide[:, 2::2] / 2
    assert measure_shift(sar[:, :-1], apart).cols == pytest.approx(-0.5, abs=0.25)


def test_inverted_contrast_is_the_same_shift():
    sar, optical = fields(128, 5)
    found = measure_shift(sar, 255 - np.roll(optical, 4, 1))
    assert found.cols == pytest.approx(4, abs=0.5) and found.conclusive


def test_unrelated_images_are_seldom_conclusive():
    found = sorted(measure_shift(fields(128, seed)[0], fields(128, seed + 50)[1]).confidence for seed in range(20))
    assert found[10] < 1 and found[17] < CERTAIN


def test_borders_that_run_alike_are_found_whatever_the_contrast():
    optical = fields(128, 9)[1].mean(2).astype(np.float32)
    moved = 255 - np.roll(optical, (3, -2), (0, 1))
    found = direction_agreement(double_angle_gradient(optical, 1.5), double_angle_gradient(moved, 1.0), 8)
    assert found.shape == (17, 17) and np.unravel_index(found.argmax(), found.shape) == (8 + 3, 8 - 2)


def test_directions_have_twice_the_angle_of_the_gradient():
    slope = np.add.outer(np.arange(32.0), np.arange(32.0)).astype(np.float32)
    for plane, angle in [(slope, np.pi / 2), (-slope, np.pi / 2), (slope[:, ::-1], -np.pi / 2)]:
        middle = double_angle_gradient(plane, 1.0)[16, 16]
        assert np.angle(middle) == pytest.approx(angle, abs=1e-3) and abs(middle) == pytest.approx(1, abs=0.2)


def test_heavy_speckle_hides_few_shifts():
    """Blocks alone, without directions, find nine."""
    rng, right = np.random.default_rng(1), 0
    for seed in range(12):
        sar, optical = fields(128, 20 + seed)
        found = measure_shift(sar * rng.gamma(0.5, 2.0, sar.shape), np.roll(optical, (0, 4), (0, 1)))
        right += np.hypot(found.rows, found.cols - 4) < 1
    assert right >= 11


def test_of_a_large_image_the_middle_is_compared():
    sar, optical = (np.concatenate([image] * 10) for image in fields(128, 10))
    found = measure_shift(sar, np.roll(optical, 4, 0))
    assert found.rows == pytest.approx(4, abs=0.5) and found.conclusive


def test_noise_and_flat_and_tiny_images():
    noise = np.random.default_rng(0).normal(size=(2, 128, 128))
    assert not measure_shift(*noise).conclusive
    sar, optical = fields(128, 6)
    assert measure_shift(np.full_like(sar, 7), optical) is None
    assert measure_shift(sar[:40, :40], optical[:40, :40]) is None
    with pytest.raises(ValueError, match="different size"):
        measure_shift(sar, optical[:-1])


def test_values_that_are_no_numbers_do_no_harm():
    sar, optical = fields(128, 7)
    sar = sar.astype(np.float32)
    sar[10:20, 10:20] = np.nan
    assert measure_shift(sar, np.roll(optical, 4, 0)).rows == pytest.approx(4, abs=0.5)


def test_a_shift_that_all_share_is_their_median_and_few_share_none():
    same = [Shift(1.0, -1.0, 9.0)] * 3
    assert common_shift([*same, Shift(9, 9, 1.0)]) == (1.0, -1.0)
    assert common_shift([*same[:2], Shift(9, 9, 1.0)]) == (0.0, 0.0)
    assert Shift(4.0, 2.0, 9.0).minus(1.0, -1.0).length == pytest.approx(np.hypot(3, 3))


def test_it_is_the_same_every_time():
    sar, optical = fields(128, 8)
    assert measure_shift(sar, optical) == measure_shift(sar, optical)
