"""Images as colours of 8 bits."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rsforge.data.io.image_reader import UnreadableError, decode_masked, decode_rgb
from rsforge.data.views.colours import decode_colours, read_colours
from rsforge.data.views.view import PLAIN, View, read_view, to_bytes
from tests.worlds.awkward_images import colours, geotiff, picture


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.webp", "a.tif", "alpha.png", "grey.png", "a.jp2"])
def test_pictures_are_read_alike_from_bytes_and_through_the_view(tmp_path, name):
    values = colours(0)
    if name == "alpha.png":
        values = np.dstack([values, np.where(np.arange(24) < 9, 0, 255)[:, None] * np.ones((1, 24))]).astype(np.uint8)
    path = picture(tmp_path / name, values[..., 0] if name == "grey.png" else values)
    raster = read_view(path, PLAIN, "optical")
    through = np.repeat(to_bytes(raster, PLAIN), 3 // raster.info.bands, axis=-1)
    assert np.array_equal(read_colours(path), through)
    assert np.array_equal(decode_rgb(path.read_bytes()), through)


def test_more_than_8_bits_need_a_range(tmp_path):
    deep = colours(0).astype(np.uint16) * 12
    path = geotiff(tmp_path / "a.tif", deep)
    with pytest.raises(UnreadableError, match="uint16, whose range is not declared") as refused:
        read_colours(path)
    assert "--range" in refused.value.fix
    assert np.array_equal(read_colours(path, View(span=(0, 255 * 12))), colours(0))
    Image.fromarray(deep[..., 0]).save(tmp_path / "a.png")
    with pytest.raises(UnreadableError, match="not declared"):
        read_colours(tmp_path / "a.png")
    assert np.array_equal(read_colours(tmp_path / "a.png", View(span=(0, 255 * 12)))[..., 2], colours(0)[..., 0])


def test_pixels_without_data_are_black_whatever_marks_them(tmp_path):
    values, gap = colours(0), np.zeros((24, 24), bool)
    gap[:5] = True
    expected = np.where(gap[..., None], 0, values)
    filled = np.where(gap[..., None], 9, values).astype(np.uint8)
    with_alpha = np.dstack([values, np.where(gap, 0, 255)]).astype(np.uint8)
    for path, view in (
        (geotiff(tmp_path / "nodata.tif", filled, nodata=9), PLAIN),
        (geotiff(tmp_path / "fill.tif", filled), View(fill=9)),
        (geotiff(tmp_path / "alpha.tif", with_alpha, alpha="YES"), PLAIN),
        (picture(tmp_path / "alpha.png", with_alpha), PLAIN),
        (picture(tmp_path / "fill.png", filled), View(fill=9)),
    ):
        assert np.array_equal(decode_colours(path, path.read_bytes(), view), expected), path.name


def test_many_bands_without_a_meaning_are_refused_by_name(tmp_path):
    path = geotiff(tmp_path / "a.tif", np.repeat(colours(0), 2, axis=-1), photometric="MINISBLACK")
    with pytest.raises(UnreadableError, match="6 bands") as refused:
        read_colours(path)
    assert "--bands" in refused.value.fix
    assert np.array_equal(read_colours(path, View(bands=("1", "3", "5"))), colours(0))


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, True),
        ({"compress": "lzw", "predictor": 2}, True),
        ({"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}, True),
        ({"nodata": 9}, False),
        ({"photometric": "MINISBLACK"}, False),
        ({"interleave": "band"}, False),
        ({"compress": "zstd"}, False),
    ],
)
def test_a_tiff_of_nothing_but_colours_is_decoded_without_gdal_and_alike(tmp_path, monkeypatch, options, plain):
    path = geotiff(tmp_path / "a.tif", colours(0), **options)
    raster = read_view(path, PLAIN, "optical")
    through = to_bytes(raster, PLAIN)
    calls = []
    monkeypatch.setattr("rsforge.data.views.colours.decode_masked", lambda data: calls.append(1) or decode_masked(data))
    assert np.array_equal(read_colours(path), through) and bool(calls) == plain
