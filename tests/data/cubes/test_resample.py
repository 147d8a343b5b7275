from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rsforge.data.cubes.resample import apply_along, area_mean, area_weights, coarse_count, cubic_weights

FACTORS = st.builds(Fraction, st.integers(1, 40), st.integers(1, 6)).filter(lambda f: 1 <= f <= 12)


def test_255_and_34_are_the_same_length():
    factor = Fraction("7.5")
    assert factor == Fraction(15, 2) and coarse_count(256, factor) == coarse_count(255, factor) == 34
    assert coarse_count(254, factor) == 33 and 34 * factor == 255


@settings(max_examples=60, deadline=None)
@given(FACTORS, st.integers(1, 30))
def test_area_means_keep_means_constants_and_ramps(factor, coarse):
    fine = int(np.ceil(coarse * factor)) + 1
    weights = area_weights(fine, factor)
    assert len(weights) == coarse_count(fine, factor) >= coarse
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-12) and (weights >= 0).all()
    centres = np.arange(fine) + 0.5
    inside = len(weights) * factor
    whole = np.clip(float(inside) - np.arange(fine), 0, 1)
    values = np.random.default_rng(0).normal(size=fine)
    assert (weights @ values).mean() == pytest.approx((whole * values).sum() / float(inside), abs=1e-12)
    if factor.denominator == 1:
        assert weights @ centres == pytest.approx((np.arange(len(weights)) + 0.5) * float(factor))


def test_a_ramp_is_sampled_at_the_coarse_centres():
    # Fine pixels that a coarse edge cuts in half weigh half: the mean of a ramp over two coarse pixels is exact.
    means = area_weights(255, Fraction(15, 2)) @ (np.arange(255) + 0.5)
    centres = (np.arange(34) + 0.5) * 7.5
    assert (means[::2] + means[1::2]) / 2 == pytest.approx((centres[::2] + centres[1::2]) / 2, abs=1e-9)
    assert np.abs(means - centres).max() < 0.02


def test_whole_factors_are_means_of_blocks():
    image = np.random.default_rng(1).normal(size=(12, 8, 3))
    found = apply_along(area_weights(12, Fraction(4)), area_weights(8, Fraction(4)), image)
    assert found == pytest.approx(image.reshape(3, 4, 2, 4, 3).mean(axis=(1, 3)))


def test_factor_one_changes_nothing():
    assert np.array_equal(area_weights(5, Fraction(1)), np.eye(5))
    assert cubic_weights(5, 5, Fraction(1)) == pytest.approx(np.eye(5))


def test_a_finer_coarse_grid_is_an_error():
    with pytest.raises(ValueError, match="1/2"):
        area_weights(4, Fraction(1, 2))


@settings(max_examples=60, deadline=None)
@given(FACTORS, st.integers(4, 30))
def test_cubic_interpolation_keeps_constants_and_ramps(factor, coarse):
    fine = int(coarse * factor)
    weights = cubic_weights(coarse, fine, factor)
    assert weights.sum(axis=1) == pytest.approx(1)
    at = (np.arange(fine) + 0.5) / float(factor)
    inside = (at > 2) & (at < coarse - 2)
    assert (weights @ (np.arange(coarse) + 0.5))[inside] == pytest.approx(at[inside])


def test_there_and_back_shifts_nothing():
    factor, at = Fraction(15, 2), np.arange(255) + 0.5
    wave = np.sin(2 * np.pi * at / 120)
    back = cubic_weights(34, 255, factor) @ (area_weights(255, factor) @ wave)
    shifts = np.arange(-2, 2.01, 0.25)
    inner = slice(30, 225)
    errors = [np.abs(back[inner] - np.sin(2 * np.pi * (at[inner] + s) / 120)).max() for s in shifts]
    assert shifts[int(np.argmin(errors))] == 0 and min(errors) < 0.01


def test_a_pixel_beyond_the_coarse_grid_takes_its_edge():
    up = cubic_weights(34, 256, Fraction(15, 2))
    assert up.shape == (256, 34) and up[255] @ np.ones(34) == pytest.approx(1) and up[255, -1] > 0.9


def test_invalid_pixels_do_not_count():
    rows = area_weights(4, Fraction(2))
    image, valid = np.ones((4, 4, 1)), np.ones((4, 4), bool)
    image[0, 0], valid[0, 0] = np.nan, False
    image[2:, 2:], valid[2:, 2:] = -9999, False
    mean, share = area_mean(image, valid, rows, rows)
    assert mean[..., 0].tolist() == [[1, 1], [1, 1]] and share.tolist() == [[0.75, 1], [1, 0]]
