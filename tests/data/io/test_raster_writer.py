from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.data.io.georeference import RasterInfo
from rsforge.data.io.raster_writer import raster_writer
from rsforge.data.io.rasters import read_raster


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif", ".bmp"])
@pytest.mark.parametrize("bands", [1, 3])
def test_rows_become_a_picture_or_a_raster_and_gaps_are_kept_where_they_can_be(tmp_path, suffix, bands):
    values = np.random.default_rng(0).integers(0, 256, (20, 15, bands), np.uint8)
    valid = np.ones((20, 15), bool)
    valid[3:9, 4:] = False
    path = tmp_path / f"a{suffix}"
    with raster_writer(path, RasterInfo(path, 20, 15, bands, "uint8", None, None, "")) as put:
        put(values[:7], valid[:7])
        assert not path.exists()
        put(values[7:], valid[7:])
    if suffix == ".tif":
        with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as target:
            assert np.array_equal(target.dataset_mask() > 0, valid)
            assert np.array_equal(np.moveaxis(target.read(), 0, -1), values)
        return
    if suffix == ".webp":
        with Image.open(path) as image:
            stored = np.asarray(image.convert("RGBA"))
            assert np.array_equal(stored[valid][:, :3], np.repeat(values, 3 // bands, -1)[valid])
            assert np.array_equal(stored[..., 3] > 0, valid)
        return
    raster = read_raster(path)
    assert np.array_equal(raster.values[valid], values[valid])
    assert np.array_equal(raster.valid, valid | (suffix == ".bmp"))


def test_a_picture_that_is_not_finished_is_not_there(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(RuntimeError), raster_writer(path, RasterInfo(path, 2, 2, 1, "uint8", None, None, "")) as put:
        put(np.zeros((1, 2, 1), np.uint8), np.ones((1, 2), bool))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
