"""The spellings of many programs."""

from __future__ import annotations

import pytest

from rsforge.data.bands.keys import concerns_values, find_misspelling, simplify, understand


@pytest.mark.parametrize(
    ("key", "meaning", "unit"),
    [
        ("Wavelength_Units", "wavelength unit", ""),
        ("wavelengths", "wavelength", ""),
        ("CENTRAL_WAVELENGTH_UM", "wavelength", "um"),
        ("wavelength (nm)", "wavelength", "nm"),
        ("wavelengths_nanometers", "wavelength", "nm"),
        ("_FillValue", "fill", ""),
        ("Data_Ignore_Value", "fill", ""),
        ("Scale_Factor", "scale", ""),
        ("offset_nm", "", ""),
        ("album", "", ""),
    ],
)
def test_names_are_known_in_every_spelling(key, meaning, unit):
    assert understand(key) == (meaning, unit)


def test_near_names_are_found_where_their_meaning_is_missing():
    assert find_misspelling("wavelengt", []) == "wavelength" and find_misspelling("wavelengt", ["wavelength"]) == ""
    assert find_misspelling("bands", []) == find_misspelling("data type", []) == ""
    assert simplify("Bad-Band List") == "badbandlist"
    assert concerns_values("radiance gain B") and not concerns_values("history")
