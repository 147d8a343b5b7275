"""SAR values at inference are in the unit of the training unless another is given."""

from __future__ import annotations

import pytest

from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry
from rsforge.errors import RsforgeError
from rsforge.recipes.inference.sar_values import choose_radiometry

DECIBELS = Radiometry("db", -25.0, 0.0)


def test_without_a_word_it_is_that_of_the_training():
    assert choose_radiometry(DECIBELS, "auto", None) == DECIBELS


def test_decibels_and_powers_share_their_window_and_others_have_their_own():
    powers = choose_radiometry(DECIBELS, "linear", None)
    assert powers.unit == "linear" and (powers.low, powers.high) == (DECIBELS.low, DECIBELS.high)
    assert choose_radiometry(DECIBELS, "db", (-30.0, 5.0)).low == -30.0
    assert choose_radiometry(DECIBELS, "uint8", None) == EIGHT_BIT


def test_digital_numbers_without_a_range_are_refused():
    with pytest.raises(RsforgeError, match="no range of digital numbers") as caught:
        choose_radiometry(DECIBELS, "dn", None)
    assert caught.value.code == "RSF-U005"
    assert choose_radiometry(DECIBELS, "dn", (0.0, 4000.0)).high == 4000.0
