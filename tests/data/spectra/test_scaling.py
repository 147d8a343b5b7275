from __future__ import annotations

import json

import numpy as np
import pytest

from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError


def test_the_range_becomes_zero_to_one_and_back():
    scaling = Scaling((2.0,), (6.0,))
    values = np.array([[2, 4, 6, 10, 0]], np.float32)
    unit = scaling.normalise(values)
    assert unit.tolist() == [[0, 0.5, 1, 2, -0.5]] and unit.dtype == np.float32 and scaling.bands is None
    assert np.allclose(scaling.denormalise(unit), values)
    gain, offset = scaling.gain_and_offset()
    assert np.allclose(values * gain + offset, unit)


def test_clipping_is_an_option():
    scaling = Scaling((2.0,), (6.0,), clip=True)
    assert scaling.normalise(np.array([0.0, 4, 9])).tolist() == [0, 0.5, 1]


def test_bands_have_their_own_ranges_and_a_constant_band_is_shifted():
    scaling = Scaling((0.0, 5.0), (10.0, 5.0))
    values = np.array([[5, 5], [10, 6]], np.float32)
    assert scaling.bands == 2 and scaling.normalise(values).tolist() == [[0.5, 0], [1, 1]]
    assert np.allclose(scaling.denormalise(scaling.normalise(values)), values)


def test_a_checkpoint_keeps_it():
    scaling = Scaling((0.25, 5.0), (10.0, 6.0), (2.0, 98.0), clip=True)
    assert Scaling.from_dict(json.loads(json.dumps(scaling.as_dict()))) == scaling


@pytest.mark.parametrize(
    "record", [None, {}, {"low": [0], "high": [1], "clip": False}, {**Scaling((0.0,), (1.0,)).as_dict(), "high": [-1]}]
)
def test_a_damaged_record_is_refused(record):
    with pytest.raises(RsforgeError) as caught:
        Scaling.from_dict(record, where="x.pt")
    assert caught.value.code == "RSF-D006" and caught.value.where == "x.pt"


@pytest.mark.parametrize(("low", "high"), [((2.0,), (1.0,)), ((0.0,), (np.inf,)), ((0.0, 1.0), (1.0,)), ((), ())])
def test_a_range_that_is_none_is_refused(low, high):
    with pytest.raises(RsforgeError) as caught:
        Scaling(low, high)
    assert caught.value.code == "RSF-D010"
