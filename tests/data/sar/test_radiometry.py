from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.sar.radiometry import (
    CLIP_DB,
    EIGHT_BIT,
    Radiometry,
    check_values,
    find_contradiction,
    infer_radiometry,
    settle_radiometry,
    value_extent,
)
from rsforge.errors import RsforgeError


def test_the_window_becomes_minus_one_to_one_and_no_number_the_lowest():
    db = Radiometry("db", -25, 0)
    given = np.array([-40, -25, -12.5, 0, 7, np.nan, np.inf, -np.inf])
    unit = db.to_unit(given)
    assert unit.dtype == np.float32 and unit.tolist() == [-1, -1, 0, 1, 1, -1, 1, -1]
    assert EIGHT_BIT.to_unit(np.array([0, 51, 255], np.uint8)).tolist() == pytest.approx([-1, -0.6, 1])
    assert Radiometry("dn", 0, 4000).to_unit(np.array([1000, 65535], np.uint16)).tolist() == [-0.5, 1]


def test_powers_go_through_decibels():
    linear, db = Radiometry("linear", *CLIP_DB), Radiometry("db", *CLIP_DB)
    power = np.array([1e-3, 0.02, 0.3, 2.0])
    assert np.allclose(linear.to_unit(power), db.to_unit(10 * np.log10(power)), atol=1e-6)
    assert linear.to_unit(np.array([0.0, -1.0])).tolist() == [-1, -1]


@pytest.mark.parametrize(
    "radiometry",
    [
        Radiometry("db", -25, 3),
        Radiometry("linear", -25, 3),
        Radiometry("dn", 0, 4000),
        EIGHT_BIT,
        Radiometry("uint8", 20, 200),
    ],
)
def test_the_way_back_gives_the_values_inside_the_window(radiometry):
    unit = np.linspace(-1, 1, 181, dtype=np.float32)
    values = radiometry.from_unit(unit)
    assert values.dtype == (np.uint8 if radiometry.unit == "uint8" else np.float32)
    step = 1 / (radiometry.high - radiometry.low) if radiometry.unit == "uint8" else 1e-5
    assert np.abs(radiometry.to_unit(values) - unit).max() <= 1.001 * step
    ends = np.array([radiometry.low, radiometry.high])
    assert np.allclose(values[[0, -1]], 10 ** (ends / 10) if radiometry.unit == "linear" else ends, rtol=1e-5)
    assert np.array_equal(radiometry.from_unit(np.array([-9.0, 9.0])), values[[0, -1]])


def test_eight_bits_survive_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(EIGHT_BIT.from_unit(EIGHT_BIT.to_unit(levels)), levels)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "unit", "window"),
    [
        ("uint8", 0, 255, "uint8", (0, 255)),
        ("float64", -31.8, 0.5, "db", (-25, 0)),
        ("int16", -30, 2, "db", (-25, 0)),
        ("float32", 0, 0.8, "linear", (-25, 0)),
        ("float32", 0, 9000, "dn", (0, 9000)),
        ("uint16", 12, 870, "dn", (0, 870)),
    ],
)
def test_the_unit_is_inferred_and_said(dtype, low, high, unit, window):
    radiometry, sentence = infer_radiometry(dtype, low, high)
    assert (radiometry.unit, (radiometry.low, radiometry.high)) == (unit, window)
    assert dtype in sentence and unit in sentence


def test_what_no_unit_has_is_refused():
    with pytest.raises(RsforgeError) as caught:
        infer_radiometry("int16", -2500, 300)
    assert caught.value.code == "RSF-D010" and "-2500" in caught.value.found


def test_a_declared_unit_and_clip_come_first():
    assert settle_radiometry("db", None, "float32", 0, 1)[0] == Radiometry("db", *CLIP_DB)
    assert settle_radiometry("auto", (-20, 5), "float32", -30, 1)[0] == Radiometry("db", -20, 5)
    assert settle_radiometry("db", (-20, 5), "float32", 0, 1)[0] == Radiometry("db", -20, 5)
    radiometry, sentence = settle_radiometry("dn", None, "uint16", 0, 700)
    assert radiometry == Radiometry("dn", 0, 700) and "declared" in sentence


def test_an_empty_window_or_unknown_unit_is_refused():
    for unit, low, high in (("db", 0, 0), ("db", 0, float("nan")), ("volts", 0, 1)):
        with pytest.raises(RsforgeError) as caught:
            Radiometry(unit, low, high)
        assert caught.value.code == "RSF-D010"


def test_a_card_gives_it_back_and_a_damaged_one_is_named():
    radiometry = Radiometry("db", -22.5, 1.5)
    assert Radiometry.from_dict(radiometry.as_dict()) == radiometry
    for card in ({"unit": "db"}, None, {"unit": "db", "low": "x", "high": 0}, {"unit": [], "low": 0, "high": 1}):
        with pytest.raises(RsforgeError) as caught:
            Radiometry.from_dict(card, where="dataset.json")
        assert caught.value.code == "RSF-D006" and caught.value.where == "dataset.json"


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("db", np.full((40, 40), 120, np.uint8)),
        ("db", np.full((40, 40), 900, np.uint16)),
        ("db", np.linspace(0, 1, 1600, dtype=np.float32)),
        ("db", np.full(50, 3000.0)),
        ("linear", np.linspace(-20, 0, 1600)),
        ("linear", np.full(50, 5000.0)),
        ("linear", np.full(50, 3, np.uint16)),
        ("dn", np.linspace(-20, 0, 1600)),
        ("uint8", np.zeros(9, np.uint16)),
        ("uint8", np.zeros(9, np.float32)),
    ],
)
def test_values_that_contradict_the_unit_are_refused(unit, values):
    with pytest.raises(RsforgeError) as caught:
        check_values(settle_radiometry(unit, None, "float32", 0, 1)[0], values, where="a.tif")
    assert caught.value.code == "RSF-D010" and caught.value.where == "a.tif" and caught.value.found


@pytest.mark.parametrize(
    ("unit", "values"),
    [
        ("db", np.linspace(-25, 3, 1600)),
        ("db", np.full(50, 4.0)),  # a small patch of roofs
        ("db", np.full(5000, np.nan)),
        ("linear", np.r_[np.linspace(0, 2, 1600), -1e-4]),  # what noise removal leaves
        ("dn", np.arange(50, dtype=np.uint8)),
        ("dn", np.arange(50, dtype=np.float32)),
        ("uint8", np.arange(50, dtype=np.uint8)),
        ("db", np.empty(0)),
    ],
)
def test_values_in_the_unit_pass(unit, values):
    assert find_contradiction(settle_radiometry(unit, None, "float32", 0, 1)[0], values) == ""


def test_the_extent_leaves_single_outliers_out():
    values = np.linspace(0, 1, 10001)
    values[5000] = 1e6
    assert value_extent([values[:4000], values[4000:]]) == pytest.approx((0.001, 0.999), abs=1e-3)
    assert value_extent([np.empty(0)]) == (0, 0)
