"""What names and wavelengths of bands mean."""

from __future__ import annotations

import pytest

from rsforge.data.bands.meaning import (
    NO_BACKSCATTER,
    BandMeaning,
    find_role,
    find_roles,
    find_wavelength,
    role_of_name,
    says_something,
)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Red", "red"), ("r", "red"), ("B04 (red)", "red"), ("SR red", "red"), ("green", "green"), ("BLUE", "blue"),
        ("near infrared", "nir"), ("NIR", "nir"), ("red edge 1", ""), ("green_i", ""), ("coastal_blue", ""),
        ("Band 3", ""), ("B04", ""), ("", ""), ("altered", ""),
        ("Grün", "green"), ("Nahes Infrarot", "nir"), ("rouge", "red"), ("Bande 1 (bleu)", "blue"), ("rojo", "red"),
        ("VV", "vv"), ("Sigma0_VH_db", "vh"), ("gamma0-hv", "hv"), ("savvy", ""),
        ("VV/VH", NO_BACKSCATTER), ("localIncidenceAngle", NO_BACKSCATTER), ("angle", NO_BACKSCATTER),
        ("layover mask", NO_BACKSCATTER),
    ],
)  # fmt: skip
def test_a_name_says_its_role_or_nothing(name, role):
    assert role_of_name(name) == role


def test_numbers_and_designations_say_nothing():
    assert not any(map(says_something, ("", "Band 3", "B04", "SR_B4", "665 nm")))
    assert all(map(says_something, ("NDVI", "NIR", "red edge")))


def roles(*names: str, colours: tuple[str, ...] = ()) -> list[str]:
    known = colours or ("",) * len(names)
    found = find_roles([BandMeaning(name, role) for name, role in zip(names, known, strict=True)])
    return [meaning.role for meaning in found]


def test_designations_mean_what_their_sensor_calls_so():
    assert roles("B02", "B03", "B04") == ["blue", "green", "red"]
    assert len(find_role("nir", find_roles([BandMeaning(f"B0{k}") for k in (2, 3, 4, 8)]))) == 1
    assert roles("B4", "B3", "B2") == ["red", "green", "blue"]
    assert roles("B2", "B3", "B4", "B8", "B8A")[:3] == ["blue", "green", "red"]
    assert roles("SR_B1", "SR_B2", "SR_B3", "SR_B4", "SR_B5", "SR_B7")[:3] == ["blue", "green", "red"]
    assert roles("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B9")[1:4] == ["blue", "green", "red"]


def test_designations_that_sensors_use_differently_mean_nothing():
    assert roles("B1", "B2", "B3") == ["", "", ""] and roles("Band 1", "Band 2", "Band 3", "Band 4") == [""] * 4


def test_names_come_before_colours_that_a_driver_made_up():
    made_up = ("red", "green", "blue")
    assert roles("B02", "B03", "B04", colours=made_up) == ["blue", "green", "red"]
    assert roles("a", "b of it", "c", colours=made_up) == list(made_up)
    assert roles("VH", "VV", "", colours=made_up) == ["vh", "vv", ""]


def test_a_role_of_many_bands_is_the_one_nearest_to_its_wavelength():
    cube = find_roles([BandMeaning(wavelength_nm=float(length)) for length in range(400, 1000, 10)])
    assert [cube[k].wavelength_nm for k in (*find_role("red", cube), *find_role("blue", cube))] == [660, 490]
    assert find_wavelength(702, cube) == [30] and find_wavelength(1200, cube) == []


def test_a_bad_band_is_not_looked_for():
    cube = [BandMeaning(wavelength_nm=660.0, good=False), BandMeaning(wavelength_nm=668.0)]
    assert find_wavelength(660, cube) == [1]
