from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.spectra.negative_values import NegativeValues
from rsforge.errors import RsforgeError


def measure(count: int, wavelength_nm=None) -> NegativeValues:
    """Two patches of 100 pixels and 4 bands, ``count`` values of the second negative."""
    values = np.ones((100, 4), np.float32)
    negative = NegativeValues(wavelength_nm)
    negative.add("a#0", values, values)
    values = values.copy()
    values[:count, 2] = -0.5
    values[0, 1] = -3 if count else 1
    negative.add("a#1", values, values)
    return negative


def test_many_negative_values_are_refused_with_their_share_and_place():
    negative = measure(40, np.array([400.0, 500, 1375, 2400]))
    with pytest.raises(RsforgeError) as caught:
        negative.require_few()
    error = caught.value
    assert error.code == "RSF-D010" and error.where == "a#1"
    assert error.found == (
        "5.12% of the values are negative, down to -3; most of them in band 3 (1375 nm), 20.00%, and in the patch a#1"
    )
    assert "band 3, 20.00%" in measure(40).describe()


@pytest.mark.parametrize(
    ("unit", "what"),
    [
        ("uW/cm^2/nm/sr", "radiance cannot be negative"),
        ("surface reflectance", "reflectance cannot be negative"),
        ("DN", "too many values are negative for radiance or reflectance (the unit 'DN' is not known)"),
        ("", "too many values are negative for radiance or reflectance (the files state no unit)"),
    ],
)
def test_a_refusal_says_what_is_known_of_the_unit(unit, what):
    values = np.full((10, 4), -1, np.float32)
    negative = NegativeValues(unit=unit)
    negative.add("a#0", values, values)
    with pytest.raises(RsforgeError) as caught:
        negative.require_few()
    assert caught.value.what == what


def test_a_few_are_described_and_accepted():
    negative = measure(6)
    negative.require_few()
    assert negative.share == pytest.approx(7 / 800) and "0.88%" in negative.describe()


def test_none_is_nothing_to_say():
    assert measure(0).describe() == "" == NegativeValues().describe()
    NegativeValues().require_few()


def test_values_of_landsat_are_counted_on_request():
    landsat, spectra = np.full((10, 3), -2, np.float32), np.ones((10, 4), np.float32)
    counters = NegativeValues(), NegativeValues(unit="radiance", of_landsat=True)
    for counter in counters:
        counter.add("a#0", landsat, spectra)
    counters[0].require_few()
    with pytest.raises(RsforgeError) as caught:
        counters[1].require_few()
    assert caught.value.what == "radiance cannot be negative"
    assert caught.value.found.startswith("100.00% of the values of Landsat are negative, down to -2")
