"""Spectra that nobody measured."""

from __future__ import annotations

import numpy as np

from rsforge.data.cubes.empty_spectra import EvenSpectra, find_empty_spectra, list_samples


def test_pixels_of_zeros_and_of_the_fill_are_found():
    stored = np.random.default_rng(0).integers(1, 9, (4, 5, 8)).astype(np.int16)
    assert find_empty_spectra(stored, None) is None
    stored[0, 0], stored[1, 1], stored[2, 2, :7] = 0, 3, 0
    assert {value: np.argwhere(mask).tolist() for value, mask in find_empty_spectra(stored, 3.0).items()} == {
        0.0: [[0, 0]],
        3.0: [[1, 1]],
    }
    assert find_empty_spectra(stored[..., :7], None) is None  # too few bands to tell
    assert find_empty_spectra(stored, 0.5).keys() == {0.0}
    assert find_empty_spectra(stored[..., :2], 3.0).keys() == {3.0}  # which somebody named


def test_samples_lie_in_the_cube_from_edge_to_edge():
    windows = list_samples(100, 20)
    assert {window.row for window in windows} == {0, 26, 53, 80} and {window.col for window in windows} == {0}
    assert all(window[2:] == (20, 20) for window in windows)


def test_a_value_is_a_fill_where_a_share_of_the_pixels_have_it_in_all_bands():
    values = np.random.default_rng(0).uniform(1, 2, (10, 10, 8))
    even = EvenSpectra()
    values[0, 0] = 5
    even.add(values)
    assert even.find_fill() is None
    values[:2] = 5
    even.add(values)
    assert even.find_fill() == 5
    assert EvenSpectra().find_fill() is None
