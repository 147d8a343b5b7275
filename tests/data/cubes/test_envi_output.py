"""ENVI cubes written by windows are what GDAL and open_cube read."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS

from rsforge import durable
from rsforge.data.cubes.cube_output import NODATA, CubeHeader
from rsforge.data.cubes.envi_output import envi_writer, format_header
from rsforge.data.cubes.formats import open_cube
from rsforge.data.io.georeference import Grid
from rsforge.data.io.windows import Window
from tests.worlds.written_cubes import FWHM, GRID, NM, draw_cube, write_cube


def test_windows_become_the_whole_with_wavelengths(tmp_path):
    values = draw_cube()
    path = write_cube(tmp_path / "a.bsq", values, envi_writer, grid=GRID, unit="uW", wavelength_nm=NM, fwhm_nm=FWHM)
    expected = values.copy()
    expected[:, 3, 4] = NODATA
    with rasterio.open(path) as source:
        assert np.array_equal(source.read(), expected) and source.nodata == NODATA
        assert source.crs.to_epsg() == 32632 and tuple(source.transform)[:6] == GRID.transform
        assert [float(source.tags(k)["wavelength"]) for k in (1, 2, 3)] == pytest.approx(NM)
    with open_cube(path) as cube:
        assert np.array_equal(cube.wavelength_nm, NM) and np.array_equal(cube.fwhm_nm, FWHM) and cube.unit == "uW"
        got, valid = cube.read(Window(0, 0, 70, 50))
        assert not valid[3, 4] and valid.sum() == 70 * 50 - 1
        assert np.array_equal(got[valid], np.moveaxis(values, 0, -1)[valid])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bsq", "a.hdr"]


@pytest.mark.parametrize(
    ("code", "transform"),
    [
        (3035, (30.0, 0.0, 4e6, 0.0, -30.0, 3e6)),
        (4326, (1e-4, 0.0, 7.0, 0.0, -1e-4, 50.0)),
        (32719, (3.0, 1.0, 5e5, 1.0, -3.0, 5.5e6)),
    ],
)
def test_grids_of_other_kinds_are_kept(tmp_path, code, transform):
    path = write_cube(tmp_path / "a.img", draw_cube(), envi_writer, grid=Grid(CRS.from_epsg(code).to_wkt(), transform))
    with rasterio.open(path) as source:
        assert source.crs == CRS.from_epsg(code)
        np.testing.assert_allclose(tuple(source.transform)[:6], transform, rtol=1e-9)


def test_a_grid_that_envi_cannot_state_is_left_out():
    sheared = Grid(GRID.crs, (3.0, 2.0, 0.0, 0.0, -3.0, 0.0))
    assert "map info" not in format_header(CubeHeader(2, 2, 1, sheared), "a.img")


def test_words_of_a_file_cannot_end_a_field():
    text = format_header(CubeHeader(2, 2, 1, tags={"NOTE": "a}\nbands = {9"}), "a.img")
    assert "rsforge note = {a) bands = (9}\n" in text and text.count("bands = 1\n") == 1


def test_a_full_disk_is_known_before_the_first_window(tmp_path, monkeypatch):
    def refuse(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OSError, match="No space"), envi_writer(tmp_path / "a.img", CubeHeader(4, 4, 2)):
        pytest.fail("a window was asked for")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_between_leaves_no_cube(tmp_path, monkeypatch):
    write_cube(tmp_path / "a.img", draw_cube(), envi_writer)
    before = (tmp_path / "a.img").read_bytes()

    def fail(operation):
        raise OSError(errno.EIO, "broken")

    with pytest.raises(OSError, match="broken"), envi_writer(tmp_path / "a.img", CubeHeader(70, 50, 3)) as put:
        monkeypatch.setattr(durable, "before_operation", fail)
        put(Window(0, 0, 2, 2), np.zeros((3, 2, 2), np.float32))
    assert (tmp_path / "a.img").read_bytes() == before and (tmp_path / "a.hdr").is_file()
