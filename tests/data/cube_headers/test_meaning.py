"""One record of what files say of bands, and the same cube from every format that says the same."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.cube_headers.meaning import read_meanings
from rsforge.data.cubes.formats import open_cube
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from tests.worlds.cube_formats import FORMATS, Stored

NM = np.arange(400.0, 600, 20)
VALUES = np.random.default_rng(0).integers(100, 9000, (6, 7, 10)).astype(np.int16)
SAID = {
    "wavelengths": {},
    "unit": {"waves": NM / 1000, "unit": "um"},
    "scale": {"scale": 0.0001},
    "offset": {"offset": -1000.0},
    "nodata": {"nodata": -5.0},
    "bad bands": {"bad": (2, 3)},
    "all": {"scale": 0.002, "offset": -0.5, "nodata": -5.0, "bad": (2, 9), "waves": NM / 1000, "unit": "um"},
}


@pytest.mark.parametrize("what", SAID)
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_that_says_the_same_gives_the_same_cube(tmp_path, name, what):
    values = VALUES.copy()
    facts = {"waves": NM, **SAID[what]}
    if "nodata" in facts:
        values[1, 2, 4] = facts["nodata"]
    stored = Stored(values, **facts)
    with open_cube(FORMATS[name](tmp_path, stored)) as cube:
        assert cube.wavelength_nm == pytest.approx(NM)
        assert cube.good_bands.tolist() == [bool(mark) for mark in stored.good]
        found, valid = cube.read(Window(0, 0, 6, 7))
        # Whether values were scaled is said.
        assert any("values are the stored ones" in note for note in cube.notes) == bool(stored.scale or stored.offset)
    expected = values.astype(float) * (stored.scale or 1) + (stored.offset or 0)
    hole = np.argwhere(~valid).tolist()
    assert hole == ([[1, 2]] if "nodata" in facts else [])
    assert found[valid] == pytest.approx(expected[valid], rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("said", "factor"),
    [
        ({"reflectance scale factor": "10000"}, 1e-4),
        ({"Reflectance_Scale_Factor": 10000}, 1e-4),
        ({"Scale_Factor": 10000.0}, 1e-4),
        ({"scale_factor": 0.0001}, 1e-4),
        ({"scale_factor": 10.0}, 10),
        ({"data gain values": "{0.5, 0.5, 0.5}"}, 0.5),
        ({"gain": "0.5", "reflectance scale factor": "100"}, 0.005),
        ({"scale_factor": np.array([1.0])}, None),
        ({"data reflectance gain values": "{0.01, 0.01, 0.01}"}, 0.01),
        ({"slope": 0.5}, 0.5),
        ({"data gain values": [0.0001] * 3, "reflectance scale factor": 10000}, 0.0001),
        ({"units": "percent"}, 0.01),
        ({"units": "%", "scale factor": 100}, 0.0001),
    ],
)
def test_factors_of_all_spellings(said, factor):
    found = read_meanings(said, 3)
    assert found.scale is None if factor is None else found.scale == pytest.approx([factor] * 3)
    assert found.offset is None and bool(found.notes) == (factor is not None)


def test_gains_of_reflectance_stand_back_where_there_are_others():
    said = {"data gain values": [2.0, 2.0], "data reflectance gain values": [0.1, 0.1], "data reflectance offset": 5}
    found = read_meanings(said, 2)
    assert found.scale == pytest.approx([2, 2]) and found.offset is None
    assert "also says data reflectance gain values, data reflectance offset, which is not used" in found.notes[-1]
    said.pop("data gain values")
    assert read_meanings(said, 2).offset == pytest.approx([5, 5])


def test_a_list_of_bad_bands_of_another_length_is_refused_with_a_remedy():
    with pytest.raises(UnreadableError, match="marks 2 bands") as caught:
        read_meanings({"bad bands": "{6, 7}"}, 105)
    assert "--drop-nm" in caught.value.fix


def test_an_offset_stands_behind_the_gain_and_before_the_scale_of_reflectance():
    found = read_meanings({"data gain values": [2, 4], "offset": 10, "reflectance scale factor": 100}, 2)
    assert found.scale == pytest.approx([0.02, 0.04]) and found.offset == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ({"bbl": "{1, 0, 1}"}, [1, 0, 1]),
        ({"bad_band_list": "True, False, True"}, [1, 0, 1]),
        ({"good_wavelengths": np.array([1.0, 0.0, 1.0], np.float32)}, [1, 0, 1]),
        ({"good bands": ["good", "bad", b"good"]}, [1, 0, 1]),
        ({"bad_band_mask": [0, 1, 0]}, [1, 0, 1]),
        ({}, [1, 1, 1]),
    ],
)
def test_marks_of_bands_in_words_and_numbers(said, good):
    assert read_meanings(said, 3).good.tolist() == [bool(mark) for mark in good]


def test_widths_have_the_unit_of_their_name_or_of_the_wavelengths():
    lengths = {"wavelength": [0.4, 0.5], "wavelength_units": "micrometers"}
    for said in ({"fwhm": [0.01, 0.02]}, {"FWHM (nm)": [10, 20]}, {"fwhm_um": "0.01 0.02"}):
        assert read_meanings(lengths | said, 2).fwhm_nm == pytest.approx([10, 20])
    with pytest.raises(UnreadableError, match="widths of 1e-05 to 2e-05 nm contradict their distances"):
        read_meanings({"wavelength": [400, 400.01], "wavelength unit": "nm", "fwhm": [0.00001, 0.00002]}, 2)
    found = read_meanings(lengths | {"fwhm": [0.01]}, 2)
    assert found.fwhm_nm is None and "holds no width of each band" in found.notes[0]


def test_valid_values_have_ends():
    assert read_meanings({"valid_min": 0}, 1).valid_range == (0, np.inf)
    assert read_meanings({"valid_range": [0, 100]}, 1).valid_range == (0, 100)
    assert read_meanings({}, 1).valid_range is None
    for said in ({"valid_range": [1]}, {"valid_min": "low"}, {"_FillValue": [1, 2]}):
        with pytest.raises(UnreadableError, match="its header says"):
            read_meanings(said, 1)


def test_bands_are_chosen_with_all_that_is_said_of_them():
    found = read_meanings({"wavelength": [400, 500, 600], "bbl": [1, 1, 0], "gain": [1, 2, 3]}, 3)
    turned = found.select(np.array([2, 0]))
    assert turned.wavelength_nm.tolist() == [600, 400] and turned.good.tolist() == [False, True]
    assert turned.scale.tolist() == [3, 1] and turned.fwhm_nm is None


def test_what_is_said_twice_is_named():
    found = read_meanings({"wavelength": [400, 500], "wavelengths": [1, 2], "wavelength units": "nm"}, 2)
    assert found.wavelength_nm.tolist() == [400, 500] and "also says wavelengths, which is not used" in found.notes[0]


def test_names_of_bands_are_wavelengths_where_they_are_rising_numbers():
    assert read_meanings({"band names": "400.5, 410.25"}, 2).wavelength_nm.tolist() == [400.5, 410.25]
    for names in ("1, 2", "500, 400", "400, b"):
        assert read_meanings({"band names": names}, 2).wavelength_nm is None


@pytest.mark.parametrize("name", ["envi", "file_tags", "attributes", "netcdf", "matlab", "matlab_73"])
def test_lists_of_another_length_are_refused_in_every_format(tmp_path, name):
    for number, facts in enumerate(({"waves": NM[:-1]}, {"bad": (1,)})):
        stored = Stored(VALUES, **({"waves": NM} | facts))
        if "bad" in facts:
            stored = Shortened(**vars(stored))
        with pytest.raises(RsforgeError, match=r"there are 9 for|and there are 10"):
            open_cube(FORMATS[name](tmp_path / str(number), stored))


class Shortened(Stored):
    """A cube with one mark of its bands too few."""

    @property
    def good(self):
        return super().good[:-1]


def test_wavelengths_with_a_unit_each_are_read():
    assert read_meanings({"wavelength": ["400 nm", "0.5 um"]}, 2).wavelength_nm.tolist() == [400, 500]


def test_commas_are_decimals_where_the_numbers_are_too_many_otherwise():
    said = {
        "wavelength": "400,5, 410,25; 420", "fwhm": "9,5, 9,5, 10", "wavelength units": "nm",
        "reflectance scale factor": "10000,0", "data ignore value": "-9999,0", "data gain values": "0,5, 1, 2",
        "valid range": "0,5; 9999,0",
    }  # fmt: skip
    meanings = read_meanings(said, 3)
    assert meanings.wavelength_nm.tolist() == [400.5, 410.25, 420] and meanings.fwhm_nm.tolist() == [9.5, 9.5, 10]
    assert meanings.scale == pytest.approx([5e-5, 1e-4, 2e-4]) and meanings.fill == -9999
    assert meanings.valid_range == (0.5, 9999)
    assert read_meanings({"wavelength": "400,500,600"}, 3).wavelength_nm.tolist() == [400, 500, 600]


def test_commas_that_may_separate_or_not_are_refused_with_what_tells_them():
    said = {"wavelength": "400,5,410,5,420,5"}  # which commas separate is not to be seen
    with pytest.raises(UnreadableError, match="there are 6 for 3 bands; if half of its commas are decimals") as refused:
        read_meanings(said, 3)
    assert "write points for these (400.5,410.5), or blanks between the numbers" in str(refused.value)
    for text in ("400.5,410.5,420.5", "400,5 410,5 420,5"):
        assert read_meanings({"wavelength": text}, 3).wavelength_nm.tolist() == [400.5, 410.5, 420.5]
    with pytest.raises(UnreadableError, match="2 numbers; if half"):
        read_meanings({"data gain values": "0,5,0,7"}, 2)
    for other in ("400,410,420,430", "1.5,2,3.5,4,5,6"):
        with pytest.raises(UnreadableError, match=r"for 3 bands$"):
            read_meanings({"wavelength": other}, 3)
