"""Values as SAR and optical images are compared."""

from __future__ import annotations

import numpy as np

from rsforge.data.sar.matching_scale import scale_for_matching

ALL = np.ones((1, 3), bool)


def test_powers_are_on_a_log_scale_and_other_values_as_they_are():
    powers = np.array([[[0.01], [1.0], [100.0]]])
    np.testing.assert_allclose(scale_for_matching(powers, ALL).ravel(), [-2, 0, 2], atol=1e-6)
    decibels = np.array([[[-20.0], [0.0], [20.0]]])
    np.testing.assert_array_equal(scale_for_matching(decibels, ALL), decibels)
    np.testing.assert_array_equal(scale_for_matching(powers.astype(np.uint8), ALL), powers.astype(np.uint8))


def test_what_is_invalid_lies_at_the_mean():
    values = np.array([[[-1.0], [np.nan], [3.0]]])
    assert scale_for_matching(values, ALL).ravel().tolist() == [-1, 1, 3]
    assert scale_for_matching(values, np.array([[True, True, False]])).ravel().tolist() == [-1, -1, -1]
    assert not scale_for_matching(values, ~ALL).any()
