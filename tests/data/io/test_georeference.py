"""Grids: windows, centres, pixel sizes and differences."""

from __future__ import annotations

import math

import pytest
import rasterio
from affine import Affine

from rsforge.data.io.georeference import Grid, find_difference
from rsforge.data.io.rasters import read_info
from rsforge.data.io.windows import Window
from tests.worlds.rasters import NORTH_UP, UTM, ramp, write

WKT = rasterio.crs.CRS.from_string(UTM).to_wkt()
GRID = Grid(WKT, tuple(NORTH_UP)[:6])
FEET = rasterio.crs.CRS.from_epsg(2263).to_wkt()  # New York, US survey feet
DEGREES = rasterio.crs.CRS.from_epsg(4326).to_wkt()


def test_a_window_has_a_grid_of_its_own():
    assert GRID.window(Window(2, 3, 4, 4)).transform == (10, 0, 500030, 0, -10, 5499980)


def test_the_centre_is_in_degrees_or_unknown():
    assert GRID.centre(0, 0) == pytest.approx((9.0, 49.6528), abs=1e-3)
    assert Grid("", GRID.transform).centre(8, 8) is None
    assert Grid(WKT, (1e9, 0, 1e12, 0, -1e9, 1e12)).centre(8, 8) is None


def test_the_gsd_of_a_square_pixel_is_its_side():
    assert GRID.gsd_m() == 10 and GRID.pixel_size_m() == (10, 10)


def test_the_gsd_of_a_pixel_that_is_not_square_keeps_its_area():
    """Of 10 m by 20 m: the side of a square of 200 square metres; both sides are known too."""
    grid = Grid(WKT, (20.0, 0, 0, 0, -10.0, 0))
    assert grid.gsd_m() == pytest.approx(math.sqrt(200)) and grid.pixel_size_m() == (10, 20)


def test_pixel_sizes_do_not_change_with_rotation():
    grid = Grid(WKT, tuple(Affine.rotation(37) @ Affine.scale(20, -10))[:6])
    assert grid.gsd_m() == pytest.approx(math.sqrt(200))
    assert grid.pixel_size_m() == pytest.approx((10, 20))
    assert Grid(WKT, (12.0, 9.0, 0.0, 9.0, -12.0, 0.0)).gsd_m() == pytest.approx(15)


def test_a_sheared_pixel_counts_by_its_area():
    assert Grid(WKT, (10.0, 10.0, 0, 0, -10.0, 0)).gsd_m() == pytest.approx(10)


def test_pixel_sizes_are_in_metres_whatever_the_unit():
    assert Grid(FEET, GRID.transform).gsd_m() == pytest.approx(3.048, rel=1e-5)


@pytest.mark.parametrize("crs", ["", "nonsense", DEGREES])
def test_pixel_sizes_that_are_no_lengths_are_unknown(crs):
    grid = Grid(crs, GRID.transform)
    assert grid.gsd_m() is None and grid.pixel_size_m() is None


def test_grids_differ_by_crs_and_by_more_than_a_tenth_of_a_pixel():
    assert GRID.difference(GRID, 100, 100) == ""
    assert GRID.difference(Grid(WKT, (10, 0, 500000.5, 0, -10, 5500000)), 100, 100) == ""
    assert "0.30 pixels" in GRID.difference(Grid(WKT, (10, 0, 500003, 0, -10, 5500000)), 100, 100)
    assert "1.00 pixels" in GRID.difference(Grid(WKT, (10.1, 0, 500000, 0, -10, 5500000)), 100, 100)
    other = rasterio.crs.CRS.from_epsg(32633).to_wkt()
    assert "coordinate systems" in GRID.difference(Grid(other, GRID.transform), 100, 100)


def test_images_differ_by_size_before_their_grids_are_compared(tmp_path):
    first = read_info(write(tmp_path / "a.tif", ramp(8, 8, 1, "uint8")))
    smaller = read_info(write(tmp_path / "b.tif", ramp(8, 7, 1, "uint8")))
    bare = read_info(write(tmp_path / "c.tif", ramp(8, 8, 1, "uint16"), crs=None, transform=None))
    assert find_difference(first, smaller) == "SAR has 8 x 8 pixels, optical 8 x 7"
    assert find_difference(first, bare) == "" and find_difference(first, first) == ""


def test_a_footprint_names_the_plane_by_its_code_and_pixel_size():
    footprint = GRID.footprint(4, 6)
    assert footprint is not None
    assert footprint.plane == "EPSG:32632 at 10 x 10" and footprint.window == Window(-550000, 50000, 4, 6)
    assert Grid(WKT, tuple(NORTH_UP @ Affine.rotation(30))[:6]).footprint(4, 6) is None
