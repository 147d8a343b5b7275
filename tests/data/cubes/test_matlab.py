from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from rsforge.data.cubes.matlab import check_size, cube_from_matrix, open_matlab
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

VALUES = np.random.default_rng(0).uniform(0, 1, (6, 4, 9))  # rows, columns, bands
MATRIX = VALUES.transpose(2, 0, 1).reshape(9, 24, order="F")
ALL = Window(0, 0, 6, 4)


def save(path, **variables):
    scipy.io.savemat(path, variables, do_compression=True)
    return path


def refused(path, variable=None, size=None) -> str:
    with pytest.raises(UnreadableError) as caught:
        open_matlab(path, variable, None, size)
    return str(caught.value)


def test_the_largest_array_is_the_cube(tmp_path):
    cube = open_matlab(save(tmp_path / "a.mat", cube=VALUES, gt=VALUES[..., 0], w=np.arange(9)), None, None, None)
    assert np.allclose(cube.read(ALL)[0], VALUES) and cube.notes == ("the cube is cube",)
    assert np.allclose(cube.read(Window(1, 2, 3, 2))[0], VALUES[1:4, 2:4])


def test_wavelengths_beside_it_say_which_axis_are_bands(tmp_path):
    stored = {"first": VALUES.transpose(2, 0, 1), "wavelength": np.linspace(0.4, 0.8, 9)}
    cube = open_matlab(save(tmp_path / "a.mat", **stored), "first", None, None)
    assert np.allclose(cube.read(ALL)[0], VALUES) and cube.wavelength_nm == pytest.approx(np.linspace(400, 800, 9))
    assert "micrometres" in cube.notes[1]


@pytest.mark.parametrize("turned", [False, True])
def test_a_matrix_takes_its_size_from_the_option_or_the_file(tmp_path, turned):
    stored = MATRIX.T if turned else MATRIX
    given = open_matlab(save(tmp_path / "a.mat", Y=stored), None, None, (6, 4))
    noted = open_matlab(save(tmp_path / "b.mat", Y=stored, nRow=6, nCol=4), None, None, None)
    assert np.allclose(given.read(ALL)[0], VALUES) and np.allclose(noted.read(ALL)[0], VALUES)


def test_a_square_is_taken_and_said(tmp_path):
    square = VALUES[:4].transpose(2, 0, 1).reshape(9, 16, order="F")
    cube = open_matlab(save(tmp_path / "a.mat", Y=square), None, None, None)
    assert np.allclose(cube.read(Window(0, 0, 4, 4))[0], VALUES[:4]) and "a square of 4 x 4" in cube.notes[1]
    assert "give their rows and columns by --size" in refused(save(tmp_path / "b.mat", Y=MATRIX))
    assert "6 x 5 pixels" in refused(tmp_path / "b.mat", None, (6, 5))


def test_more_bands_than_pixels_are_told_by_their_wavelengths(tmp_path):
    few = VALUES[:2, :2].transpose(2, 0, 1).reshape(9, 4, order="F")
    cube = cube_from_matrix(tmp_path, few, 9, None)
    assert np.allclose(cube.read(Window(0, 0, 2, 2))[0], VALUES[:2, :2])


def test_what_is_no_numbers_is_never_built(tmp_path):
    cells = np.empty(2, object)
    cells[:] = ["a", 1]
    path = save(tmp_path / "a.mat", cells=cells, record={"x": 1}, words="text")
    assert "no numeric array of two or three axes" in refused(path)
    assert "no numeric array cells, but none at all" in refused(path, "cells")
    assert "complex" in refused(save(tmp_path / "b.mat", z=VALUES * 1j))


def test_damage_is_a_reason(tmp_path):
    path = save(tmp_path / "a.mat", cube=VALUES)
    whole = path.read_bytes()
    path.write_bytes(whole[:600])
    assert "ends within an array" in refused(path)
    path.write_bytes(whole[:600] + bytes(20) + whole[620:])
    assert "cannot be inflated" in refused(path)
    for text in (b"", b"MATLAB 4 perhaps" * 20):
        path.write_bytes(text)
        assert "not a MATLAB file of version 5 to 7" in refused(path)


def test_what_must_be_read_whole_is_bounded():
    with pytest.raises(UnreadableError, match="must be read whole"):
        check_size((10_000, 10_000, 200), 8)
