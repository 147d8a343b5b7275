from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from rsforge.data.io.georeference import BandMetadata, ControlPoints, Grid, RasterInfo
from rsforge.data.io.geotiff_writer import encode_geotiff, geotiff_writer
from rsforge.data.io.rasters import open_raster, read_info, read_raster
from rsforge.data.io.windows import Window
from tests.worlds.rasters import ramp, write

UTM_GRID = Grid(rasterio.crs.CRS.from_epsg(32632).to_wkt(), (10, 0, 500000, 0, -10, 5500000))


def like(path: Path, values: np.ndarray, nodata: float | None = None) -> RasterInfo:
    height, width, bands = values.shape
    mode = "RGB" if values.dtype == np.uint8 and bands == 3 else ""
    return RasterInfo(path, height, width, bands, str(values.dtype), nodata, UTM_GRID, mode)


def fill(path: Path, values: np.ndarray, valid: np.ndarray, step: int, **more) -> None:
    metadata = BandMetadata({"made": "here"}, [{}] * 3, ["red", "green", "blue"], [None] * 3, [1.0] * 3, [0.0] * 3)
    with geotiff_writer(path, like(path, values, **more), metadata) as put:
        for row in range(0, len(values), step):
            put(values[row : row + step], valid[row : row + step])


@pytest.mark.parametrize("shape", [(700, 300, 3), (40, 30, 3), (513, 257, 1)])
@pytest.mark.parametrize("step", [1, 100, 256, 1000])
def test_rows_come_back_as_they_went_with_place_and_mask(tmp_path, shape, step):
    rng = np.random.default_rng(0)
    values, valid = rng.integers(0, 256, shape, np.uint8), np.ones(shape[:2], bool)
    valid[shape[0] * 2 // 3 :, : shape[1] // 2] = False
    fill(tmp_path / "a.tif", values, valid, step)
    raster = read_raster(tmp_path / "a.tif")
    assert np.array_equal(raster.values, values) and np.array_equal(raster.valid, valid)
    with rasterio.open(tmp_path / "a.tif") as target:
        assert target.crs.to_epsg() == 32632 and target.transform.c == 500000 and target.tags()["made"] == "here"
        assert target.profile["tiled"] == (min(shape[:2]) >= 256) and target.compression.value == "DEFLATE"
        assert target.descriptions == (("red", "green", "blue") if shape[2] == 3 else (None,))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("crs", ["", UTM_GRID.crs])
def test_ground_control_points_are_written_with_and_without_a_coordinate_system(tmp_path, crs):
    values, path = np.zeros((4, 6, 1), np.uint8), tmp_path / "a.tif"
    control = ControlPoints(crs, ((0.0, 0.0, 5e5, 5e6, 1.0), (4.0, 0.0, 5e5, 4.9e6, 2.0), (0.5, 6.0, 6e5, 5e6, 3.0)))
    with geotiff_writer(path, replace(like(path, values), grid=None, control=control), None) as put:
        put(values, np.ones((4, 6), bool))
    made = read_info(path).control
    assert made.points == control.points and bool(made.crs) == bool(crs)


def test_a_raster_without_gaps_has_no_mask_and_nodata_needs_none(tmp_path):
    values = np.random.default_rng(0).normal(size=(300, 40, 2)).astype(np.float32)
    fill(tmp_path / "whole.tif", values, np.ones((300, 40), bool), 64)
    values[:9] = np.nan
    fill(tmp_path / "gaps.tif", values, np.isfinite(values[..., 0]), 64, nodata=float("nan"))
    for name in ("whole", "gaps"):
        with rasterio.open(tmp_path / f"{name}.tif") as target:
            assert rasterio.enums.MaskFlags.per_dataset not in target.mask_flag_enums[0]
    assert not read_raster(tmp_path / "gaps.tif").valid[:9].any()


def test_what_is_not_finished_leaves_no_trace_and_what_was_there_stays(tmp_path):
    path, values = tmp_path / "a.tif", np.zeros((600, 300, 3), np.uint8)
    valid = np.ones((600, 300), bool)
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt), geotiff_writer(path, like(path, values), None) as put:
        put(values[:400], valid[:400])
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="400 rows"), geotiff_writer(path, like(path, values), None) as put:
        put(values[:400], valid[:400])
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"] and path.read_bytes() == b"before"


@pytest.mark.parametrize("lacking", [1, 60, 900, 40_000, 300_000])
def test_what_the_disk_does_not_take_is_told_also_when_gdal_keeps_silent(tmp_path, lacking, capfd):
    """GDAL writes directories and the last blocks when it closes a file, and tells nobody when it cannot."""
    values = np.random.default_rng(0).integers(0, 256, (600, 300, 3), np.uint8)
    valid = np.ones((600, 300), bool)
    valid[500:, :100] = False
    fill(tmp_path / "a.tif", values, valid, 256)
    size, before = (tmp_path / "a.tif").stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - lacking, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            fill(tmp_path / "b.tif", values, valid, 256)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.filename == str(tmp_path / "b.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_pixels_that_are_points_stay_at_their_place(tmp_path):
    path, window = write(tmp_path / "p.tif", ramp(8, 8, 1, "uint16")), Window(2, 1, 4, 4)
    with rasterio.open(path, "r+") as target:
        target.update_tags(AREA_OR_POINT="Point")
    with open_raster(path) as source:
        grid = source.info.grid
        path.write_bytes(encode_geotiff(source.read(window), source.metadata, window))
    with open_raster(path) as cut:
        assert cut.info.grid == grid.window(window) and cut.metadata.tags["AREA_OR_POINT"] == "Point"


def test_an_encoded_window_keeps_what_the_source_says(tmp_path):
    path = write(tmp_path / "a.tif", ramp(32, 32, 2, "float64"), nodata=-99)
    with rasterio.open(path, "r+") as target:
        target.descriptions = ("VV", "VH")
        target.update_tags(sensor="S1")
        target.update_tags(2, wavelength="55")
    window = Window(8, 4, 16, 16)
    with open_raster(path) as source:
        (tmp_path / "b.tif").write_bytes(encode_geotiff(source.read(window), source.metadata, window))
    with rasterio.open(tmp_path / "b.tif") as tile, rasterio.open(path) as whole:
        assert tile.bounds == (500040, 5499760, 500200, 5499920)
        assert (tile.crs, tile.nodata, tile.dtypes) == (whole.crs, -99, whole.dtypes)
        assert tile.descriptions == ("VV", "VH") and tile.tags()["sensor"] == "S1"
        assert tile.tags(2)["wavelength"] == "55"
        assert np.array_equal(tile.read(), whole.read()[:, 8:24, 4:20])
