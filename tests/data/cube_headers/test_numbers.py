"""Numbers in headers, in every notation."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.cube_headers.numbers import parse_numbers, parse_so_many, write_points


def test_numbers_in_texts_and_arrays():
    assert parse_numbers("{1; 2,3 4}").tolist() == [1, 2, 3, 4] and parse_numbers(b"5").tolist() == [5]
    assert parse_numbers("a") is None and parse_numbers("") is None and parse_numbers(np.int8(3)).tolist() == [3]


@pytest.mark.parametrize(
    ("text", "counts", "numbers"),
    [
        ("1,5", (1,), [1.5]),
        ("1,5", (1, 2), [1, 5]),  # two bands
        ("{400,5, 410,5}", (2,), [400.5, 410.5]),
        ("400,5; 410", (2,), [400.5, 410]),
        ("400,5, 410.5", (2,), [400, 5, 410.5]),  # points are decimals
        ("1,0,1,1", (4,), [1, 0, 1, 1]),
        ("1,0,1,1", (3,), [1, 0, 1, 1]),
    ],
)
def test_commas_are_decimals_only_where_that_gives_so_many_numbers(text, counts, numbers):
    assert parse_so_many(text, counts).tolist() == numbers


def test_points_stand_for_commas_between_digits():
    assert write_points("UTM, 1,5, 2") == "UTM, 1.5, 2" and write_points("1,5 2.5") == "1,5 2.5"
