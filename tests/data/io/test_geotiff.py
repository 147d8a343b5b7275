"""GeoTIFFs: values, windows, masks and grids."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from rsforge.data.io import geotiff
from rsforge.data.io.georeference import Grid
from rsforge.data.io.geotiff_writer import encode_geotiff
from rsforge.data.io.native_output import silence_libraries
from rsforge.data.io.rasters import UnreadableError, read_info, read_raster
from rsforge.data.io.windows import Window
from tests.worlds.rasters import NORTH_UP, UTM, ramp, unreadable_reason, write


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_a_geotiff_is_read_as_stored(tmp_path, dtype, bands):
    values = ramp(20, 30, bands, dtype)
    raster = read_raster(write(tmp_path / "a.tif", values))
    assert raster.values.dtype == dtype and np.array_equal(raster.values, values)
    assert raster.valid.all() and raster.info.bands == bands and raster.info.dtype == dtype
    assert raster.info.grid == Grid(rasterio.crs.CRS.from_string(UTM).to_wkt(), tuple(NORTH_UP)[:6])


def test_only_the_blocks_of_a_window_are_held(tmp_path):
    path = tmp_path / "big.tif"
    options = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": 40000, "width": 40000, "crs": UTM}
    with rasterio.open(path, "w", **options, transform=NORTH_UP, tiled=True, sparse_ok=True, compress="deflate"):
        pass
    tracemalloc.start()
    assert read_raster(path, Window(30000, 30000, 64, 64)).values.shape == (64, 64, 1)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert "read less at once" in unreadable_reason(path)


def test_nodata_nan_and_masks_are_not_valid(tmp_path):
    values = ramp(4, 4, 2, "float32")
    values[0, 0] = -9999
    values[1, 1, 0] = -9999  # the other band holds data
    values[2, 2, 1] = np.nan
    valid = read_raster(write(tmp_path / "n.tif", values, nodata=-9999)).valid
    assert (~valid).nonzero()[0].tolist() == [0, 2] and not valid[0, 0] and not valid[2, 2]
    path = write(tmp_path / "m.tif", ramp(4, 4, 1, "uint16"))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as target:
        target.write_mask(np.eye(4, dtype=bool))
    assert np.array_equal(read_raster(path).valid, np.eye(4, dtype=bool))


@pytest.mark.parametrize("nodata", [-3.4028234663852886e38, float("nan")])
def test_extreme_nodata_values_are_compared_quietly(tmp_path, nodata):
    values = ramp(3, 3, 1, "float32")
    values[1, 1] = nodata
    assert read_raster(write(tmp_path / "n.tif", values, nodata=nodata)).valid.sum() == 8


def test_a_giant_block_is_refused_by_its_declared_size(tmp_path):
    """A compressed strip is decoded whole, so a few kilobytes could ask for gigabytes."""
    width, height = 30000, 30000
    data = zlib.compress(b"\0" * 1000)
    tags = [(256, width), (257, height), (258, 16), (259, 8), (262, 1), (273, 8), (277, 1), (278, height)]
    tags += [(279, len(data)), (339, 1)]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    body = struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + rows + b"\0\0\0\0"
    (tmp_path / "bomb.tif").write_bytes(b"II*\0" + body)
    with pytest.raises(UnreadableError, match="strip or tile"):
        read_info(tmp_path / "bomb.tif")


def test_nothing_but_the_file_itself_is_opened(tmp_path):
    """Virtual rasters under another name, and every companion that GDAL would look for."""
    secret = write(tmp_path / "secret.tif", ramp(8, 8, 1, "uint16") + 1000)
    vrt = f'<VRTDataset rasterXSize="8" rasterYSize="8"><VRTRasterBand dataType="UInt16" band="1"><SimpleSource>' \
          f"<SourceFilename>{secret}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"  # fmt: skip
    (tmp_path / "a.tif").write_text(vrt)
    (tmp_path / "a.vrt").write_text(vrt)
    assert "not an intact" in unreadable_reason(tmp_path / "a.tif") and "not an intact" in unreadable_reason(
        tmp_path / "a.vrt"
    )
    plain = write(tmp_path / "plain.tif", ramp(8, 8, 1, "uint16"), crs=None, transform=None)
    write(tmp_path / "plain.tif.msk", np.zeros((8, 8, 1), "uint8"))
    write(tmp_path / "plain.tif.ovr", np.zeros((4, 4, 1), "uint16"))
    (tmp_path / "plain.tfw").write_text("5\n0\n0\n-5\n7\n7\n")
    stats = "<PAMDataset><SRS>EPSG:4326</SRS><GeoTransform>1,2,0,3,0,-2</GeoTransform>"
    stats += '<PAMRasterBand band="1"><NoDataValue>5</NoDataValue></PAMRasterBand></PAMDataset>'
    (tmp_path / "plain.tif.aux.xml").write_text(stats)
    raster = read_raster(plain)
    assert raster.valid.all() and raster.info.grid is None and raster.info.nodata is None


@pytest.mark.parametrize("name", ["/vsizip/x.zip/a.tif", "/vsicurl/http://localhost/a.tif", "/vsimem/a.tif"])
def test_virtual_paths_are_refused(name):
    with pytest.raises(UnreadableError, match="virtual"), geotiff.open_with_gdal(Path(name)):
        pass
    assert "No such file" in unreadable_reason(Path(name))


def test_places_that_are_no_grid_are_explained(tmp_path):
    points = [GroundControlPoint(r, c, 10 + c / 100, 50 - r / 100) for r, c in ((0, 0), (0, 8), (8, 0))]
    path = write(tmp_path / "g.tif", ramp(8, 8, 1, "uint16"), crs=None, transform=None)
    with silence_libraries(), rasterio.open(path, "r+") as target:
        target.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    info = read_info(path)
    assert info.grid is None and "3 ground control points" in info.note
    assert info.control.points[1] == (0, 8, 10.08, 50, 0) and "WGS 84" in info.control.crs
    with geotiff.open_with_gdal(path) as source:  # they are those of the whole image
        path.write_bytes(encode_geotiff(source.read(Window(4, 4, 4, 4)), source.metadata, Window(4, 4, 4, 4)))
    assert read_info(path).control is None
    path = write(tmp_path / "c.tif", ramp(8, 8, 1, "uint16"), transform=None)
    assert "without a transform" in read_info(path).note


def test_south_up_and_rotated_grids_are_kept(tmp_path):
    for transform in (Affine(10, 0, 5e5, 0, 10, 5e6), NORTH_UP @ Affine.rotation(30)):
        grid = read_info(write(tmp_path / "s.tif", ramp(8, 8, 1, "uint8"), transform=transform)).grid
        assert grid is not None and grid.affine.almost_equals(transform)
