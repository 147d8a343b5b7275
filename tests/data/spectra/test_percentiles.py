from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.spectra.percentiles import Percentiles, relative_error
from rsforge.errors import RsforgeError

SHARES = [0.0, 1.0, 37.0, 50.0, 99.0, 100.0]


def draw(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    values = {
        "radiance": rng.lognormal(0, 1, (5000, 4)),
        "signed": rng.normal(0, 3, (5000, 4)),
        "tiny": rng.normal(1e-20, 1e-21, (5000, 4)),
        "large": rng.normal(1e30, 1e28, (5000, 4)),
        "two": rng.choice([-1.0, 1.0], (5001, 4)),
    }[kind]
    return values.astype(np.float32)


@pytest.mark.parametrize("kind", ["radiance", "signed", "tiny", "large"])
@pytest.mark.parametrize("per_band", [False, True])
def test_the_error_is_within_the_width_of_a_bin(kind, per_band):
    values = draw(kind)
    measure = Percentiles(4, per_band=per_band)
    for part in np.array_split(values, 7):
        measure.add(part)
    axis = 0 if per_band else None
    exact = np.percentile(values.astype(float), SHARES, axis=axis, method="lower").reshape(len(SHARES), -1)
    found = measure.compute(SHARES)
    assert found.shape == exact.shape
    assert (np.abs(found - exact) <= relative_error(per_band) * np.abs(exact)).all()


def test_the_stated_error_is_that_of_the_bins():
    assert relative_error(False) == 2.0**-11 and relative_error(True) == 2.0**-7


def test_order_and_parts_do_not_matter_and_memory_does_not_grow():
    values = draw("signed")
    whole, parts = Percentiles(4), Percentiles(4)
    whole.add(values)
    before = parts._counts.nbytes
    for row in np.array_split(np.random.default_rng(1).permutation(values), 50):
        parts.add(row)
    assert np.array_equal(whole.compute(SHARES), parts.compute(SHARES)) and parts._counts.nbytes == before


def test_signs_and_zeros_are_ordered():
    measure = Percentiles(1)
    measure.add(np.array([[-2.0], [-1.0], [-0.0], [0.0], [1.0], [2.0]], np.float32))
    found = measure.compute([0, 20, 50, 80, 100])[:, 0]
    assert np.allclose(found, [-2, -1, 0, 1, 2], rtol=1e-3, atol=1e-30)
    largest = np.finfo(np.float32).max
    measure = Percentiles(1)
    measure.add(np.array([[-largest], [largest]], np.float32))
    assert np.isfinite(measure.compute([0, 100])).all()


def test_a_scaling_lies_between_two_percentiles():
    measure = Percentiles(4, per_band=True)
    measure.add(draw("radiance") * np.array([1, 2, 3, 4], np.float32))
    scaling = measure.scaling(2, 98, clip=True)
    assert scaling.percentiles == (2, 98) and scaling.clip and scaling.bands == 4
    assert scaling.high[3] == pytest.approx(4 * scaling.high[0], rel=0.1)


def test_nothing_has_no_percentiles():
    measure = Percentiles(2)
    measure.add(np.zeros((0, 2), np.float32))
    with pytest.raises(RsforgeError) as caught:
        measure.compute([50])
    assert caught.value.code == "RSF-D004"
