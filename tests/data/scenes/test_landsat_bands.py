"""Bands are found by what they are called; what is ambiguous is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rsforge.data.scenes.landsat_bands import choose_landsat_bands, identify_band
from rsforge.errors import RsforgeError

PATH = Path("scene.tif")
OLI = ("coastal", "blue", "green", "red", "nir", "swir1", "swir2")


@pytest.mark.parametrize(
    ("description", "sensor", "name"),
    [
        ("SR_B2", "landsat8", "blue"), ("SR_B2", "landsat7", "green"), ("B02", "landsat9", "blue"),
        ("Band 7", "landsat7", "swir2"), ("swir16", "landsat8", "swir1"), ("SWIR_2", "landsat8", "swir2"),
        ("nir08", "", "nir"), ("Coastal Aerosol", "landsat8", "coastal"), ("B3", "", ""), ("QA_PIXEL", "landsat8", ""),
        ("ST_B10", "landsat8", ""), (None, "landsat8", ""), ("B6", "landsat7", ""),
    ],
)  # fmt: skip
def test_descriptions_mean_bands(description, sensor, name):
    assert identify_band(description, sensor) == name


def test_bands_in_another_order_and_others_between_them_are_found():
    names = ["SR_B7", "QA_PIXEL", "SR_B1", "SR_B3", "SR_B2", "SR_B5", "SR_B4", "ST_B10", "SR_B6"]
    positions, note = choose_landsat_bands(PATH, names, count=7, sensor="landsat8", names=OLI)
    assert [names[k] for k in positions] == [f"SR_B{k}" for k in range(1, 8)]
    assert note == "bands are chosen by their descriptions: 3, 5, 4, 7, 6, 9, 1"


def test_bands_in_order_need_no_word():
    assert choose_landsat_bands(PATH, OLI, count=7, sensor="landsat9", names=OLI) == ([0, 1, 2, 3, 4, 5, 6], "")


def test_without_names_the_order_is_taken_and_said():
    positions, note = choose_landsat_bands(PATH, [None] * 7, count=7, sensor="landsat8", names=OLI)
    assert positions == list(range(7)) and "in the order of the training: coastal, blue" in note
    assert choose_landsat_bands(PATH, ["a", "b"], count=2)[0] == [0, 1]


def test_bands_that_the_user_names_come_first():
    positions, note = choose_landsat_bands(
        PATH, ["blue", "red", None], count=2, names=("red", "blue"), wanted=("3", "BLUE")
    )
    assert positions == [2, 0] and note == ""


@pytest.mark.parametrize(
    ("descriptions", "names", "wanted", "found"),
    [
        ([None] * 8, (), (), "has 8 bands"),
        ([*OLI[:6], "QA"], OLI, (), "no band 'swir2'"),
        ([*OLI, "B2"], OLI, (), "several bands 'blue'"),
        ([None] * 9, OLI, ("1", "2"), "--bands names 2 bands"),
    ],
)
def test_ambiguous_or_other_bands_are_refused_with_a_remedy(descriptions, names, wanted, found):
    with pytest.raises(RsforgeError) as caught:
        choose_landsat_bands(PATH, descriptions, count=7, sensor="landsat8", names=names, wanted=wanted)
    error = caught.value
    assert error.code == "RSF-D003" and found in error.what and "--bands 1,2,3" in error.fix


def test_no_choice_makes_up_for_bands_that_are_not_there():
    with pytest.raises(RsforgeError) as caught:
        choose_landsat_bands(PATH, [None] * 6, count=7, sensor="landsat8", names=OLI)
    assert caught.value.found.startswith("the network takes 7 (coastal") and "--bands" not in caught.value.fix
