from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from rsforge.data.cubes.hdf5 import open_hdf5
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from tests.worlds.cube_formats import Stored, write_neon

VALUES = np.random.default_rng(0).uniform(0, 1, (6, 4, 9)).astype(np.float32)  # rows, columns, bands
ALL, PART = Window(0, 0, 6, 4), Window(2, 1, 3, 2)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        yield file


def opened(file, variable=None, wavelength_nm=None, size=None):
    path = Path(file.filename)
    file.close()
    return open_hdf5(path, variable, wavelength_nm, size)


def test_the_largest_cube_is_found_and_read_by_windows(file):
    file["small"] = VALUES[:2]
    made = file.create_dataset("deep/radiance", data=VALUES, chunks=(2, 2, 9), compression="gzip")
    made.attrs["units"], made.attrs["_FillValue"] = "uW/cm2/nm/sr", np.float32(VALUES[3, 2, 5])
    file["sensor/wavelengths"] = np.linspace(400, 480, 9)
    file["sensor/wavelengths"].attrs["units"] = "nm"
    file["sensor/fwhm"] = np.full(9, 8.0)
    with opened(file) as cube:
        values, valid = cube.read(PART)
        assert np.array_equal(values, VALUES[2:5, 1:3]) and np.argwhere(~valid).tolist() == [[1, 1]]
        assert cube.wavelength_nm.tolist() == list(range(400, 490, 10)) and cube.fwhm_nm.tolist() == [8] * 9
        assert cube.unit == "uW/cm2/nm/sr" and cube.notes == ("the cube is /deep/radiance",)


def test_bands_are_the_axis_as_long_as_the_wavelengths(file):
    file["cube"] = VALUES.transpose(2, 0, 1)
    file["cube"].attrs["wavelength"] = np.linspace(0.4, 0.48, 9)
    with opened(file) as cube:
        assert np.array_equal(cube.read(ALL)[0], VALUES) and cube.wavelength_nm[-1] == pytest.approx(480)


def test_given_wavelengths_go_before_those_of_the_file(file):
    file["cube"] = VALUES.transpose(0, 2, 1)
    with opened(file, None, np.arange(1.0, 10)) as cube:
        assert np.array_equal(cube.read(ALL)[0], VALUES)


def test_matlab_stores_axes_in_reverse(file):
    file["cube"] = VALUES.transpose(2, 1, 0)
    file["cube"].attrs["MATLAB_class"] = np.bytes_("single")
    with opened(file) as cube:
        assert np.array_equal(cube.read(PART)[0], VALUES[2:5, 1:3])


def test_a_matrix_is_named_and_sized(file):
    file["Y"] = VALUES.transpose(2, 0, 1).reshape(9, 24, order="F").T
    file["Y"].attrs["MATLAB_class"] = np.bytes_("single")
    file["nRow"], file["nCol"] = np.float64(6), np.float64(4)
    with opened(file, "Y") as cube:
        assert np.array_equal(cube.read(ALL)[0], VALUES)


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        (None, "no numeric array of three axes"),
        ("line", "no cube"),
        ("words", "no real numbers"),
        ("away", "another file"),
        ("nothing", "holds no nothing"),
    ],
)
def test_what_is_no_cube_is_refused(file, variable, why):
    file["line"], file["words"] = np.arange(5), "words"
    file["away"] = h5py.ExternalLink("other.h5", "/cube")
    with pytest.raises(UnreadableError, match=why):
        opened(file, variable)


def test_the_layout_of_neon(tmp_path):
    """``Scale_Factor`` divides, windows of water vapour are no good bands, and the grid is in a text."""
    stored = Stored((VALUES * 9000).astype(np.int16), np.arange(1300.0, 1480, 20))
    stored.values[1, 1] = -9999
    path = write_neon(tmp_path / "NEON.h5", stored, ((1340, 1445), (1790, 1955)))
    with open_hdf5(path, None, None, None) as cube:
        values, valid = cube.read(ALL)
        assert np.argwhere(~valid).tolist() == [[1, 1]]
        assert values[valid] == pytest.approx(stored.values[valid] / 10000)
        assert cube.good_bands.tolist() == [nm < 1340 or nm > 1445 for nm in stored.waves]
        assert cube.grid.transform == (1, 0, 368000, 0, -1, 4306000) and "18N" in cube.grid.crs


def test_equal_axes_are_told_apart_by_their_names_or_asked_about(tmp_path):
    values, nm = np.random.default_rng(0).uniform(0, 1, (5, 5, 5)), np.linspace(400, 480, 5)
    for number, name in enumerate((None, "label", "scale")):
        path = tmp_path / f"{number}.h5"
        with h5py.File(path, "w") as file:
            file["cube"], file["wavelength"] = values, nm
            if name == "label":
                file["cube"].dims[0].label = "bands"
            if name == "scale":
                file["wavelength"].make_scale("wavelength")
                file["cube"].dims[0].attach_scale(file["wavelength"])
        if name is None:
            with pytest.raises(UnreadableError, match="3 axes of 5 x 5 x 5 values are as long as the 5 wavelengths"):
                open_hdf5(path, None, None, None)
        axis = "first" if name is None else None
        with open_hdf5(path, None, None, None, axis) as cube:
            assert np.allclose(cube.read(Window(0, 0, 5, 5))[0], values.transpose(1, 2, 0))


def test_of_two_cubes_each_has_the_wavelengths_beside_it(file):
    for name, nm in (("a", 400), ("b", 900)):
        file[f"{name}/cube"] = VALUES
        file[f"{name}/wavelength"] = nm + 10.0 * np.arange(9)
    with opened(file, "b/cube") as cube:
        assert cube.wavelength_nm[0] == 900


def test_attributes_that_nobody_understands_are_named(file):
    made = file.create_dataset("cube", data=VALUES)
    made.attrs["radiometric_gain_mode"], made.attrs["history"], made.attrs["CLASS"] = 3, "made", "X"
    with opened(file) as cube:
        assert cube.notes[1] == "its header also says radiometric_gain_mode, which is not used"


def test_an_array_whose_name_is_nearly_right_is_refused(file):
    file["cube"], file["wavelenths"] = VALUES, np.arange(9.0)
    with pytest.raises(UnreadableError, match="'wavelenths', which is not understood: it is spelled 'wavelengths'"):
        opened(file)


def test_truth_values_mark_good_bands_and_are_no_cube(file):
    file["values"], file["wavelength"] = VALUES, np.linspace(400, 480, 9)
    file["good_bands"] = np.arange(9) != 3
    file["measured"] = np.ones((60, 40, 9), bool)
    with opened(file) as cube:
        assert cube.read(ALL)[0].shape == VALUES.shape and np.flatnonzero(~cube.good_bands).tolist() == [3]


@pytest.mark.parametrize("told", [{"standard_name": "radiation_wavelength"}, {"long_name": "Center wavelength"}])
def test_a_coordinate_that_says_wavelengths_is_one_whatever_its_name(file, told):
    file["values"], file["bands"] = VALUES, np.linspace(0.4, 0.48, 9)
    file["bands"].attrs["units"] = "um"
    file["bands"].attrs.update(told)
    with opened(file) as cube:
        assert cube.wavelength_nm == pytest.approx(np.linspace(400, 480, 9))
