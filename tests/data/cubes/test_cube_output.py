"""Cubes written by windows are what rasterio reads, with wavelengths where other programs look for them."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import rasterio

from rsforge import durable
from rsforge.data.cubes.cube_output import NODATA, choose_block, fill_gaps
from rsforge.data.cubes.formats import open_cube
from tests.worlds.written_cubes import FWHM, GRID, NM, draw_cube, write_cube


@pytest.mark.parametrize(("size", "block"), [((70, 50), 32), ((70, 50), 48), ((5, 3), 32), ((64, 64), 32)])
def test_windows_become_the_whole(tmp_path, size, block):
    values = draw_cube(*size) if size[0] > 5 else draw_cube(70, 50)[:, :5, :5]
    path = write_cube(tmp_path / "a.tif", values, block=block, grid=GRID, unit="uW", tags={"WEIGHTS": "abc"})
    expected = values.copy()
    expected[:, 3, 4] = NODATA
    with rasterio.open(path) as source:
        assert np.array_equal(source.read(), expected) and source.nodata == NODATA
        assert source.dtypes == ("float32",) * 3 and source.units == ("uW",) * 3
        assert source.crs.to_epsg() == 32632 and tuple(source.transform)[:6] == GRID.transform
        assert source.tags()["WEIGHTS"] == "abc"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_bands_state_their_wavelengths_for_gdal_enmap_box_and_rsforge(tmp_path):
    path = write_cube(tmp_path / "a.tif", draw_cube(), grid=GRID, wavelength_nm=NM, fwhm_nm=FWHM)
    with rasterio.open(path) as source:
        imagery = [source.tags(k, ns="IMAGERY") for k in (1, 2, 3)]
        plain = [source.tags(k) for k in (1, 2, 3)]
        assert source.descriptions == ("450.5 Nanometers", "551.25 Nanometers", "2201 Nanometers")
    assert [float(one["CENTRAL_WAVELENGTH_UM"]) for one in imagery] == pytest.approx(NM / 1000, rel=1e-9)
    assert [float(one["FWHM_UM"]) for one in imagery] == pytest.approx(FWHM / 1000, rel=1e-9)
    assert [float(one["wavelength"]) for one in plain] == pytest.approx(NM)
    assert [float(one["fwhm"]) for one in plain] == pytest.approx(FWHM)
    assert {one["wavelength_units"] for one in plain} == {"Nanometers"}
    with open_cube(path) as cube:
        assert np.array_equal(cube.wavelength_nm, NM) and np.array_equal(cube.fwhm_nm, FWHM)


def test_without_wavelengths_bands_have_numbers(tmp_path):
    with rasterio.open(write_cube(tmp_path / "a.tif", draw_cube(), grid=GRID)) as source:
        assert source.descriptions == ("band 1", "band 2", "band 3") and source.tags(1, ns="IMAGERY") == {}


def test_blocks_are_those_of_the_windows(tmp_path):
    assert [choose_block(size) for size in (240, 480, 1024, 720, 100)] == [240, 480, 512, 240, 256]
    with rasterio.open(write_cube(tmp_path / "a.tif", draw_cube(), block=48, grid=GRID)) as source:
        assert source.block_shapes[0] == (48, 48) and source.interleaving.value == "BAND"


def test_a_failed_write_leaves_no_file(tmp_path, monkeypatch):
    def fail(operation):
        if operation == "write":
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "before_operation", fail)
    with pytest.raises(OSError, match="No space"):
        write_cube(tmp_path / "a.tif", draw_cube())
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_read_back_as_written_is_no_result(tmp_path, monkeypatch):
    """GDAL reports no error when a disk takes less than it was given."""
    sums = iter(range(100))
    monkeypatch.setattr("rsforge.data.cubes.cube_output.zlib.crc32", lambda data: next(sums))
    with pytest.raises(OSError, match="could not be written"):
        write_cube(tmp_path / "a.tif", draw_cube())
    assert list(tmp_path.iterdir()) == []


def test_gaps_are_gaps_in_every_band():
    stored = fill_gaps(draw_cube())
    assert (stored[:, 3, 4] == NODATA).all() and np.count_nonzero(stored == NODATA) == 3
