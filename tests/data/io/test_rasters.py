from __future__ import annotations

import os
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from rsforge.data.io import geotiff
from rsforge.data.io.georeference import Grid
from rsforge.data.io.geotiff_writer import encode_geotiff, encode_png
from rsforge.data.io.library_output import silence_libraries
from rsforge.data.io.rasters import UnreadableError, open_raster, read_info, read_raster
from rsforge.data.io.windows import Window
from tests.worlds.rasters import NORTH_UP, UTM, ramp, write


def reason(path: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_raster(path)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_a_geotiff_is_read_as_stored(tmp_path, dtype, bands):
    values = ramp(20, 30, bands, dtype)
    raster = read_raster(write(tmp_path / "a.tif", values))
    assert raster.values.dtype == dtype and np.array_equal(raster.values, values)
    assert raster.valid.all() and raster.info.bands == bands and raster.info.dtype == dtype
    assert raster.info.grid == Grid(rasterio.crs.CRS.from_string(UTM).to_wkt(), tuple(NORTH_UP)[:6])


def test_a_window_is_the_part_of_the_whole(tmp_path):
    window = Window(3, 7, 11, 5)
    for path in (write(tmp_path / "a.tif", ramp(40, 50, 2, "float32"), tiled=True, blockxsize=16, blockysize=16),
                 tmp_path / "b.png"):  # fmt: skip
        if path.suffix == ".png":
            Image.fromarray(ramp(40, 50, 3, "uint8")).save(path)
        whole, part = read_raster(path), read_raster(path, window)
        assert np.array_equal(part.values, whole.values[3:14, 7:12]) and part.valid.shape == (11, 5)


def test_only_the_blocks_of_a_window_are_held(tmp_path):
    path = tmp_path / "big.tif"
    options = {"driver": "GTiff", "dtype": "float32", "count": 1, "height": 40000, "width": 40000, "crs": UTM}
    with rasterio.open(path, "w", **options, transform=NORTH_UP, tiled=True, sparse_ok=True, compress="deflate"):
        pass
    tracemalloc.start()
    assert read_raster(path, Window(30000, 30000, 64, 64)).values.shape == (64, 64, 1)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert "read less at once" in reason(path)


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


def test_alpha_is_a_mask_not_a_band(tmp_path):
    rgba = ramp(6, 6, 4, "uint8")
    rgba[..., 3] = 255
    rgba[2, 3, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    path = write(tmp_path / "a.tif", rgba)
    with rasterio.open(path, "r+") as target:
        target.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    for raster in (read_raster(tmp_path / "a.png"), read_raster(path)):
        assert np.array_equal(raster.values, rgba[..., :3]) and (~raster.valid).sum() == 1 and not raster.valid[2, 3]
        assert raster.info.mode in ("RGB", "RGBA")


def test_a_palette_becomes_its_colours(tmp_path):
    indices = (np.arange(16).reshape(4, 4) % 3).astype("uint8")
    colours = {0: (255, 0, 0, 255), 1: (0, 255, 0, 255), 2: (0, 0, 9, 0)}
    path = write(tmp_path / "p.tif", indices[..., None], photometric="palette")
    with rasterio.open(path, "r+") as target:
        target.write_colormap(1, colours)
    picture = Image.fromarray(indices, "P")
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 9])
    picture.save(tmp_path / "p.png")
    expected = np.array([colours[k][:3] for k in range(3)], np.uint8)[indices]
    for name in ("p.tif", "p.png"):
        raster = read_raster(tmp_path / name)
        assert np.array_equal(raster.values, expected) and raster.info.bands == 3


def test_sixteen_bits_stay_sixteen_in_png_of_grey_and_of_colours(tmp_path):
    grey, colours = ramp(8, 9, 1, "uint16") * 700, ramp(8, 9, 3, "uint16") * 300
    Image.fromarray(grey[..., 0]).save(tmp_path / "g.png")
    (tmp_path / "c.png").write_bytes(encode_png(colours))
    for name, values in (("g.png", grey), ("c.png", colours)):
        assert read_info(tmp_path / name).dtype == "uint16"
        assert np.array_equal(read_raster(tmp_path / name).values, values)


@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(tmp_path, turn):
    stored = ramp(4, 6, 3, "uint8")
    exif = Image.Exif()
    exif[274] = turn
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(stored).save(tmp_path / "a.tif", tiffinfo={274: turn})
    Image.fromarray(stored[..., 0].astype(np.uint16)).save(tmp_path / "deep.tif", tiffinfo={274: turn})
    expected = read_raster(tmp_path / "a.png").values
    assert expected.shape == ((6, 4, 3) if turn > 4 else (4, 6, 3)) and expected.any()
    if turn > 1:
        assert expected.shape != stored.shape or not np.array_equal(expected, stored)
    for name, bands in (("a.tif", 3), ("deep.tif", 1)):
        raster = read_raster(tmp_path / name)
        assert np.array_equal(raster.values, expected[..., :bands])
        assert (raster.info.height, raster.info.width) == expected.shape[:2]
        assert np.array_equal(read_raster(tmp_path / name, Window(1, 2, 2, 2)).values, expected[1:3, 2:4, :bands])


def test_cmyk_and_bilevel_pictures_are_read(tmp_path):
    Image.new("CMYK", (5, 4), (0, 255, 255, 0)).save(tmp_path / "c.jpg")
    Image.new("1", (5, 4), 1).save(tmp_path / "b.png")
    assert read_raster(tmp_path / "c.jpg").values[0, 0].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert read_raster(tmp_path / "b.png").values.max() == 255 and read_info(tmp_path / "b.png").bands == 1


def test_reasons_are_given(tmp_path):
    write(tmp_path / "slc.tif", ramp(4, 4, 1, "complex64"))
    (tmp_path / "empty.tif").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.tif").write_bytes(write(tmp_path / "a.tif", ramp(64, 64, 1, "uint16")).read_bytes()[:3000])
    (tmp_path / "short.tif").write_bytes(b"II*\0\xff\xff\xff\x7f")
    os.mkfifo(tmp_path / "pipe.tif")
    assert "complex" in reason(tmp_path / "slc.tif")
    assert "empty" in reason(tmp_path / "empty.tif")
    assert "not an intact" in reason(tmp_path / "text.png")
    assert "cannot be decoded" in reason(tmp_path / "cut.tif")
    assert "damaged TIFF" in reason(tmp_path / "short.tif")
    assert "regular file" in reason(tmp_path / "pipe.tif")
    assert "No such file" in reason(tmp_path / "none.tif")
    assert "regular file" in reason(tmp_path)


@pytest.mark.parametrize("name", ["grey.tif", "deep.tif", "palette.png", "deep.png"])
def test_damaged_bytes_end_in_a_read_or_a_reason(tmp_path, name, capfd):
    path = tmp_path / name
    if name == "deep.png":
        path.write_bytes(encode_png(ramp(16, 16, 3, "uint16") * 80))
    elif name == "deep.tif":
        write(path, ramp(16, 16, 3, "int16"), compress="deflate", nodata=3)
    else:
        Image.fromarray(ramp(16, 16, 1, "uint8")[..., 0], "P" if "palette" in name else "L").save(path)
    data, rng = path.read_bytes(), np.random.default_rng(5)
    for _ in range(60):
        broken = np.frombuffer(data, np.uint8).copy()
        broken[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        path.write_bytes(broken.tobytes())
        try:
            read_raster(path)
        except UnreadableError as why:
            assert str(why)
    assert capfd.readouterr().out == ""


def test_only_messages_of_gdal_that_are_no_text_are_dropped(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    error = UnicodeDecodeError("utf-8", b"\x88", 0, 1, "invalid")
    gdal = SimpleNamespace(exc_value=error, object="rasterio._env.log_error")
    other = SimpleNamespace(exc_value=error, object="elsewhere")
    with silence_libraries(), silence_libraries():
        sys.unraisablehook(gdal)
        sys.unraisablehook(other)
    sys.unraisablehook(gdal)
    assert seen == [other, gdal]


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
    assert "not an intact" in reason(tmp_path / "a.tif") and "not an intact" in reason(tmp_path / "a.vrt")
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
    assert "No such file" in reason(Path(name))


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


def test_a_raster_held_open_gives_many_windows(tmp_path):
    path = write(tmp_path / "a.tif", ramp(32, 32, 1, "int16"), nodata=-1)
    with open_raster(path) as raster:
        parts = [raster.read(Window(row, 0, 8, 32)).values for row in range(0, 32, 8)]
    assert np.array_equal(np.concatenate(parts), ramp(32, 32, 1, "int16"))
