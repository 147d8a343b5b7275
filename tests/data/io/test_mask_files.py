"""Masks in files beside rasters are heeded as GDAL heeds them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.native_output import silence_libraries
from rsforge.data.io.rasters import open_raster, read_info, read_raster
from rsforge.data.io.windows import Window
from rsforge.data.views.colours import read_colours
from rsforge.data.views.settle import Request, settle_view
from rsforge.data.views.view import View
from rsforge.errors import RsforgeError
from tests.worlds.rasters import lay_mask, ramp, unreadable_reason, write


def write_masked(path, dtype="uint16", bands=2, **profile):
    """A TIFF of 6 x 8 pixels with a mask beside it that leaves out the first rows and columns, as GDAL writes it."""
    write(path, ramp(6, 8, bands, dtype), **profile)
    mask = np.full((6, 8), 255, np.uint8)
    mask[:2], mask[:, 0] = 0, 0
    internal = rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False)
    with silence_libraries(), internal, rasterio.open(path, "r+") as target:
        target.write_mask(mask)
    assert path.with_name(f"{path.name}.msk").is_file()
    return mask > 0


def test_pixels_outside_the_mask_hold_no_data(tmp_path):
    inside = write_masked(tmp_path / "a.tif")
    read = read_raster(tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as source:
        assert np.array_equal(read.valid, source.dataset_mask() > 0) and np.array_equal(read.valid, inside)
    with open_raster(tmp_path / "a.tif", ["2"]) as raster:
        part = raster.read(Window(1, 0, 3, 5))
        assert part.values.shape == (3, 5, 1) and np.array_equal(part.valid, inside[1:4, :5])
    (said,) = settle_view([tmp_path / "a.tif"], Request(bands=("1",)), "sar").notes[-1:]
    assert "1 of 1 sampled file say where they hold data: a.tif.msk" in said


def test_plain_colours_with_a_mask_are_black_outside_it(tmp_path):
    inside = write_masked(tmp_path / "a.tif", "uint8", 3, crs=None, transform=None, photometric="RGB")
    pixels = read_colours(tmp_path / "a.tif")
    assert not pixels[~inside].any() and pixels[inside].any(axis=-1).all() and read_info(tmp_path / "a.tif").mask_beside


def test_masks_that_do_not_fit_are_refused(tmp_path):
    write_masked(tmp_path / "a.tif")
    mask = tmp_path / "a.tif.msk"
    with silence_libraries(), rasterio.open(mask) as source:
        tags = source.tags()
    write(mask, ramp(3, 3, 1, "uint8"))
    assert read_info(tmp_path / "a.tif").mask_beside is False  # GDAL heeds none without its flags
    with rasterio.open(mask, "r+") as target:
        target.update_tags(**tags)
    assert "3 x 3 pixels, another size" in unreadable_reason(tmp_path / "a.tif")
    mask.write_bytes(b"no TIFF")
    assert "its mask a.tif.msk cannot be read" in unreadable_reason(tmp_path / "a.tif")


def test_masks_are_not_resampled(tmp_path):
    write_masked(tmp_path / "a.tif")
    onto = read_info(tmp_path / "a.tif")
    points = [rasterio.control.GroundControlPoint(r, c, 10 * c, -10 * r) for r in (0, 6) for c in (0, 8)]
    write_masked(tmp_path / "b.tif", gcps=points, transform=None)
    with pytest.raises(Exception, match="not resampled"), open_raster(tmp_path / "b.tif", onto=onto):
        pass


@pytest.mark.parametrize(
    ("suffix", "depth"), [(".png", "uint8"), (".png", "uint16"), (".jpg", "uint8"), (".bmp", "uint8")]
)
def test_masks_beside_pictures_are_those_of_gdal(tmp_path, suffix, depth):
    path, inside = tmp_path / f"a.{suffix}", np.arange(48).reshape(6, 8) % 7 > 1
    if depth == "uint16":
        with silence_libraries(), rasterio.open(path, "w", "PNG", 8, 6, 3, dtype=depth) as target:
            target.write(np.moveaxis(ramp(6, 8, 3, depth) * 400, -1, 0))
    else:
        Image.fromarray(ramp(6, 8, 3, depth) + 1).save(path)
    lay_mask(path, inside)
    read = read_raster(path)
    with silence_libraries(), rasterio.open(path) as source:
        assert np.array_equal(read.valid, source.dataset_mask() > 0) and np.array_equal(read.valid, inside)
    with open_raster(path) as raster:
        assert np.array_equal(raster.read(Window(1, 2, 3, 5)).valid, inside[1:4, 2:7]) and raster.info.mask_beside
    pixels = read_colours(path, View(span=(0, 65535)) if depth == "uint16" else View())
    assert not pixels[~inside].any() and pixels[inside].any(axis=-1).sum() >= inside.sum() - 1


def test_masks_beside_pictures_are_rotated_with_them(tmp_path):
    exif, inside = Image.Exif(), np.arange(48).reshape(6, 8) % 7 > 1
    exif[0x0112] = 6
    Image.fromarray(ramp(6, 8, 3, "uint8") + 1).save(tmp_path / "a.png", exif=exif)
    lay_mask(tmp_path / "a.png", inside)
    read = read_raster(tmp_path / "a.png")
    assert read.values.shape == (8, 6, 3) and np.array_equal(read.valid, np.rot90(inside, -1))
    (tmp_path / "a.png.msk").write_bytes(b"no TIFF")
    assert "its mask a.png.msk cannot be read" in unreadable_reason(tmp_path / "a.png")


def test_a_tile_is_known_by_its_mask_too(tmp_path):
    """Pictures that differ in their masks alone are no copies, and a changed mask is a changed image."""
    for name in ("a.png", "b.png"):
        Image.fromarray(ramp(6, 8, 3, "uint8")).save(tmp_path / name)
    lay_mask(tmp_path / "b.png", np.arange(48).reshape(6, 8) % 7 > 1)
    tiles = scan(tmp_path).tiles
    assert [(tile.name, tile.gaps) for tile in tiles] == [("a.png", False), ("b.png", True)]
    samples = TileDataset(tiles, image_size=6, seed=0, keep_bytes=0)
    lay_mask(tmp_path / "b.png", np.ones((6, 8), bool))
    with pytest.raises(RsforgeError, match="changed since"):
        samples[0, 1]
