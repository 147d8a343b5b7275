"""Rasters and pictures of every format."""

from __future__ import annotations

import os

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.enums import ColorInterp

from rsforge.data.io import rasters
from rsforge.data.io.geotiff_writer import encode_png
from rsforge.data.io.rasters import UnreadableError, open_raster, read_centre, read_info, read_raster
from rsforge.data.io.windows import Window
from tests.worlds.rasters import ramp, unreadable_reason, write


def test_a_window_is_the_part_of_the_whole(tmp_path):
    window = Window(3, 7, 11, 5)
    for path in (write(tmp_path / "a.tif", ramp(40, 50, 2, "float32"), tiled=True, blockxsize=16, blockysize=16),
                 tmp_path / "b.png"):  # fmt: skip
        if path.suffix == ".png":
            Image.fromarray(ramp(40, 50, 3, "uint8")).save(path)
        whole, part = read_raster(path), read_raster(path, window)
        assert np.array_equal(part.values, whole.values[3:14, 7:12]) and part.valid.shape == (11, 5)


def test_of_a_large_image_the_middle_is_read(tmp_path, monkeypatch):
    values = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    Image.fromarray(values).save(tmp_path / "large.png")
    monkeypatch.setattr(rasters, "CENTRE_BYTES", 256)
    np.testing.assert_array_equal(read_centre(tmp_path / "large.png").values[..., 0], values[24:40, 24:40])


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
    assert "complex" in unreadable_reason(tmp_path / "slc.tif")
    assert "empty" in unreadable_reason(tmp_path / "empty.tif")
    assert "not an intact" in unreadable_reason(tmp_path / "text.png")
    assert "cannot be decoded" in unreadable_reason(tmp_path / "cut.tif")
    assert "damaged TIFF" in unreadable_reason(tmp_path / "short.tif")
    assert "regular file" in unreadable_reason(tmp_path / "pipe.tif")
    assert "No such file" in unreadable_reason(tmp_path / "none.tif")
    assert "regular file" in unreadable_reason(tmp_path)


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


def test_a_raster_held_open_gives_many_windows(tmp_path):
    path = write(tmp_path / "a.tif", ramp(32, 32, 1, "int16"), nodata=-1)
    with open_raster(path) as raster:
        parts = [raster.read(Window(row, 0, 8, 32)).values for row in range(0, 32, 8)]
    assert np.array_equal(np.concatenate(parts), ramp(32, 32, 1, "int16"))
