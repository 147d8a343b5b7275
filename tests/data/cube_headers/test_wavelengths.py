from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsforge.data.cube_headers.wavelengths import (
    WavelengthError,
    are_valid_widths,
    parse_names,
    read_table,
    require_valid,
    to_nanometres,
)
from rsforge.errors import RsforgeError


@pytest.mark.parametrize("unit", ["nm", "Nanometers", "nanometres"])
def test_a_stated_unit_is_kept(unit):
    values, said = to_nanometres(np.array([150.0, 160.0]), unit)
    assert values.tolist() == [150, 160] and said == ""


@pytest.mark.parametrize("unit", ["um", "µm", "Micrometers", "microns"])
def test_micrometres_become_nanometres(unit):
    values, said = to_nanometres(np.array([0.4, 2.5]), unit)
    assert values == pytest.approx([400, 2500]) and said == ""


def test_an_unstated_unit_is_inferred_and_said():
    values, said = to_nanometres(np.array([0.38, 2.5]))
    assert values == pytest.approx([380, 2500]) and "micrometres" in said
    values, said = to_nanometres(np.array([380.0, 2500.0]), "Unknown")
    assert values.tolist() == [380, 2500] and "nanometres" in said


def test_names_carry_wavelengths():
    assert parse_names(["376.44 Nanometers", "band 2 (0.5 µm)"]) == pytest.approx([376.44, 500])
    assert parse_names(["band 1 (424 nm)", "red"]) is None and parse_names([]) is None


def test_credible_wavelengths_are_positive_and_as_many_as_bands():
    assert are_valid_widths(np.array([400.0, 500.0]), 2)
    assert not are_valid_widths(np.array([400.0, 500.0]), 3)
    assert not are_valid_widths(np.array([0.0, 500.0]), 2) and not are_valid_widths(np.array([np.nan, 500.0]), 2)


def test_a_table_that_counts_its_rows(tmp_path: Path):
    path = tmp_path / "w.txt"
    path.write_text("0 0.37686 0.00557\n1 0.38187 0.00558\n2 0.38688 0.00558\n")
    wavelength, fwhm, said = read_table(path)
    assert wavelength == pytest.approx([376.86, 381.87, 386.88]) and fwhm == pytest.approx([5.57, 5.58, 5.58])
    assert "micrometres" in said


def test_radiance_beside_wavelengths_is_no_width(tmp_path: Path):
    path = tmp_path / "w.csv"
    path.write_text("nm,radiance\n376.86,0.98\n381.87,0.80\n386.88,0.73\n")
    wavelength, fwhm, _ = read_table(path)
    assert wavelength.tolist() == [376.86, 381.87, 386.88] and fwhm is None


@pytest.mark.parametrize("unit", ["GHz", "Wavenumber", "Index", "m", "Angstroms"])
def test_other_units_are_refused(unit):
    with pytest.raises(WavelengthError, match=repr(unit)):
        to_nanometres(np.array([400.0, 500.0]), unit)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ([400, 0], "0 is none"),
        ([-5, 7], "-5 is none"),
        ([np.nan], "nan is none"),
        ([4, 5, 4], "4 is given for 2 bands"),
    ],
)
def test_values_that_are_no_wavelengths_are_named(values, why):
    assert require_valid(np.array([500.0, 400.0])).tolist() == [500, 400]
    with pytest.raises(WavelengthError, match=why):
        require_valid(np.array(values, float))


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("", "RSF-D006", "holds no"),
        ("a b c\n", "RSF-D006", "holds no"),
        ("-5\n7\n", "RSF-D014", "-5 is none"),
        ("400\n400\n", "RSF-D014", "400 is given for 2 bands"),
    ],
)
def test_tables_without_wavelengths_are_refused(tmp_path: Path, text, code, why):
    path = tmp_path / "w.txt"
    path.write_text(text)
    with pytest.raises(RsforgeError, match=why) as caught:
        read_table(path)
    assert caught.value.code == code
