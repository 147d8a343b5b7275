from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid

from rsforge.data.cubes.spectral_response import (
    SENSORS,
    Response,
    integrate_response,
    known_weights,
    load_response,
    require_coverage,
    select_bands,
    widest_step,
)
from rsforge.errors import RsforgeError

# Edges at half maximum in nm, as NASA and USGS publish them for each instrument.
HALVES = {
    "landsat8": [(435, 451), (452, 512), (533, 590), (636, 673), (851, 879), (1567, 1651), (2107, 2294)],
    "landsat9": [(435, 450), (452, 512), (532, 589), (636, 672), (850, 879), (1565, 1651), (2105, 2294)],
    "landsat7": [(441, 514), (519, 601), (631, 692), (772, 898), (1547, 1748), (2065, 2346), (515, 896)],
}


@pytest.mark.parametrize("sensor", SENSORS)
def test_measured_tables_have_their_published_passbands(sensor):
    response = load_response(sensor)
    assert len(response.bands) == 7 and response.values.max(axis=0) == pytest.approx(1)
    assert (response.values >= 0).all()
    for column, (low, high) in zip(response.values.T, HALVES[sensor], strict=True):
        half = response.wavelength_nm[column >= 0.5]
        assert abs(half[0] - low) <= 5 and abs(half[-1] - high) <= 5
        # Nothing far from the passband: the near infrared once stood in the infrared bands of Landsat 9.
        assert column[(response.wavelength_nm < low - 70) | (response.wavelength_nm > high + 70)].sum() < 0.5


def dense(response: Response, wavelength, spectrum, step=0.01):
    """The band values by a fine trapezium."""
    at = np.arange(response.wavelength_nm[0], response.wavelength_nm[-1] + step / 2, step)
    light = np.interp(at, wavelength, spectrum)
    found = []
    for column in response.values.T:
        r = np.interp(at, response.wavelength_nm, column)
        found.append(trapezoid(light * r, at) / trapezoid(r, at))
    return np.array(found)


@pytest.mark.parametrize("sensor", SENSORS)
def test_the_integral_is_the_numerical_one(sensor):
    response, rng = load_response(sensor), np.random.default_rng(3)
    wavelength = np.sort(rng.uniform(-2, 2, 425) + np.linspace(376.44, 2500.12, 425))
    spectrum = rng.uniform(0, 10, 425)
    bands = integrate_response(response, wavelength, widest_nm=50)
    assert np.abs(bands.weights @ spectrum / dense(response, wavelength, spectrum) - 1).max() < 1e-6
    assert bands.coverage == pytest.approx(1) and bands.weights.sum(axis=1) == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_any_bands_in_any_order_integrate_as_the_reference(seed):
    rng = np.random.default_rng(seed)
    at = np.sort(rng.choice(np.arange(500, 600), 8, replace=False)).astype(float)
    values = rng.uniform(0, 1, (8, 2))  # not zero at its ends: the response is cut off there
    response = Response("x", ("a", "b"), at, values)
    wavelength = rng.permutation(np.linspace(490, 610, 20))
    spectrum = rng.normal(size=20)
    order = np.argsort(wavelength)
    bands = integrate_response(response, wavelength)
    assert bands.weights @ spectrum == pytest.approx(
        dense(response, wavelength[order], spectrum[order], 0.005), abs=1e-6
    )


def test_nothing_is_interpolated_across_a_gap():
    response = Response("x", ("a",), np.array([400.0, 500.0]), np.ones((2, 1)))
    wavelength = np.array([400.0, 410, 420, 430, 440, 480, 490, 500])
    assert widest_step(wavelength) == 30
    bands = integrate_response(response, wavelength)
    assert bands.coverage == pytest.approx([0.6])
    spectrum = np.array([1.0, 1, 1, 1, 1, 4, 4, 4])
    assert bands.weights @ spectrum == pytest.approx([(40 * 1 + 20 * 4) / 60])
    assert integrate_response(response, wavelength, widest_nm=40).coverage == pytest.approx([1])


def test_what_is_not_covered_is_named():
    response = load_response("landsat8")
    bands = integrate_response(response, np.linspace(401, 889, 156))
    with pytest.raises(RsforgeError) as caught:
        require_coverage(response, bands, where="samson.mat")
    assert caught.value.code == "RSF-D014" and caught.value.found == "swir1 0%, swir2 0%"
    assert bands.coverage[:4] == pytest.approx(1) and 0.99 < bands.coverage[4] < 1 and not bands.weights[5:].any()
    assert "--bands coastal,blue,green,red,nir, " in caught.value.fix


def test_bands_are_chosen_by_name():
    response = load_response("landsat8")
    chosen = select_bands(response, ["red", "blue", "red"])
    assert chosen.bands == ("red", "blue") and np.array_equal(chosen.values, response.values[:, [3, 1]])
    with pytest.raises(RsforgeError, match="no band cirrus") as caught:
        select_bands(response, ["red", "cirrus"])
    assert caught.value.code == "RSF-U007" and "coastal, blue" in caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "Wavelength\tred\tnir\n600\t0\t0\n650\t1\t\n700\t0\t0.5\n",
        "nm,red,nir\n600,0,0\n650,1,0\n700,-0.001,0.5\n",
        "wavelength_um;red;nir\n0,6;0;0\n0,65;1;0\n0,7;0;0,5\n",
        "# a table\n\nwavelength red nir\n600 0 0\n650 1 0\n700 0 0.5\n",
    ],
)
def test_tables_of_users_are_read_whatever_their_marks(tmp_path: Path, text):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    response = load_response(str(path))
    assert response.name == "mine" and response.bands == ("red", "nir")
    assert response.wavelength_nm == pytest.approx([600, 650, 700])
    assert response.values.tolist() == [[0, 0], [1, 0], [0, 0.5]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("600,0\n650,1\n", "first line"),
        ("nm,a,a\n600,0,0\n", "first line"),
        ("nm,a\n600,1\n600,1\n", "rise"),
        ("nm,a\n600,x\n650,1\n", "no number"),
        ("nm,a\n600,1,2\n650,1\n", "2 finite numbers"),
        ("nm,a\n600,inf\n650,1\n", "finite"),
        ("nm,a,b\n600,1,0\n650,1,0\n", "response of b is zero"),
    ],
)
def test_tables_that_cannot_be_used_say_why(tmp_path: Path, text, why):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(RsforgeError, match=why) as caught:
        load_response(str(path))
    assert caught.value.code == "RSF-D006" and str(path) in caught.value.where


def test_an_unknown_sensor_is_suggested():
    with pytest.raises(RsforgeError) as caught:
        load_response("landsat")
    assert caught.value.code == "RSF-U007" and "landsat" in caught.value.fix


def test_known_weights_are_those_of_the_stated_bands():
    centres = np.linspace(400.0, 2400, 80)
    weights = known_weights("landsat8", ("nir", "red"), 2, centres)
    whole = integrate_response(load_response("landsat8"), centres).weights
    assert np.array_equal(weights, whole[[4, 3]])
    assert np.array_equal(known_weights("landsat8", (), 7, centres), whole)


@pytest.mark.parametrize(
    ("sensor", "names", "bands", "centres", "reason"),
    [
        ("landsat8", (), 7, None, "no wavelengths"),
        ("table.csv", (), 7, np.linspace(400.0, 2400, 80), "response of table.csv is not known"),
        ("landsat8", (), 6, np.linspace(400.0, 2400, 80), "not those of landsat8"),
        ("landsat8", ("nir", "x"), 2, np.linspace(400.0, 2400, 80), "not those of landsat8"),
        ("landsat8", ("nir", "swir2"), 2, np.linspace(400.0, 2200, 80), "do not cover swir2 of landsat8"),
    ],
)
def test_weights_that_are_not_known_are_reasoned(sensor, names, bands, centres, reason):
    with pytest.raises(ValueError, match=reason):
        known_weights(sensor, names, bands, centres)
