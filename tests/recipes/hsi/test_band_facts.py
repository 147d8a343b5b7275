"""Stages and patches that belong together, and others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.band_facts import WRONG_FILE, BandFacts, require_same

CENTRES = np.array([400.0, 410, 420])
ONE = BandFacts(
    "stage 1", 2, ("red", "blue"), "landsat8", 3, CENTRES, "radiance", Fraction(15, 2), np.array([655.0, 482])
)
OTHER = replace(ONE, name="the patches")
UNKNOWN = BandFacts("the patches")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"landsat_bands": 3}, "the number of Landsat bands is 2 in stage 1 and 3 in the patches"),
        ({"landsat_names": ("blue", "red")}, "the list of Landsat bands is red, blue in stage 1 and blue, red in"),
        ({"sensor": "landsat9"}, "the sensor is landsat8 in stage 1 and landsat9 in the patches"),
        ({"bands": 4, "wavelength_nm": np.arange(4.0)}, "the number of bands is 3 in stage 1 and 4 in the patches"),
        ({"wavelength_nm": np.array([400.0, 410, 450])}, "the centre of band 3 in nm is 420 in stage 1 and 450 in"),
        ({"landsat_nm": np.array([655.0, 462.4])}, "the centre of Landsat band 2 in nm is 482 in stage 1 and 462.4 in"),
        ({"scale": Fraction(4)}, "the ratio of pixels is 15/2 in stage 1 and 4 in the patches"),
    ],
)
def test_the_first_difference_is_named(change, words):
    with pytest.raises(RsforgeError) as caught:
        require_same(ONE, replace(OTHER, **change), where="here", fix="do", found="that")
    error = caught.value
    assert (error.code, error.where, error.fix, error.found) == ("RSF-C006", "here", "do", "that")
    assert words in error.what
    with pytest.raises(RsforgeError) as caught:
        require_same(ONE, replace(OTHER, **change), where="", fix="", codes=WRONG_FILE)
    assert caught.value.code == "RSF-D003"


def test_another_unit_has_a_code_of_its_own_where_the_file_is_wrong():
    for codes, code in ((WRONG_FILE, "RSF-D010"), (("RSF-C006", "RSF-C006"), "RSF-C006")):
        with pytest.raises(RsforgeError) as caught:
            require_same(ONE, replace(OTHER, unit="reflectance"), where="", fix="", codes=codes)
        assert caught.value.code == code


def test_what_is_the_same_or_not_known_is_no_difference():
    near = replace(OTHER, wavelength_nm=ONE.wavelength_nm + 0.1, landsat_nm=ONE.landsat_nm + 3)
    for one, other in ((ONE, OTHER), (ONE, UNKNOWN), (UNKNOWN, ONE), (ONE, near)):
        require_same(one, other, where="", fix="")
