"""Patches that are cut from a pair of scenes."""

from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.data.io.rasters import open_raster, read_raster
from rsforge.data.io.windows import Window, list_windows
from rsforge.data.pairs import cut_scenes
from rsforge.data.pairs.scene_pairs import find_scene_pairs
from rsforge.errors import RsforgeError
from tests.worlds.rasters import ramp, write


def test_patches_without_enough_data_are_left_out(tmp_path):
    values = ramp(16, 16, 1, "float32") - 1000
    values[:8, :8] = -1
    values[8, 8] = -1
    write(tmp_path / "s1.tif", values, nodata=-1)
    write(tmp_path / "s2.tif", ramp(16, 16, 3, "uint8"))
    ((scene,), _) = find_scene_pairs(tmp_path / "s1.tif", tmp_path / "s2.tif")
    frames = list_windows(16, 16, 8, 8)
    for min_valid, kept in ((1.0, [1, 2]), (0.9, [1, 2, 3]), (0.0, [0, 1, 2, 3])):
        patches = list(cut_scenes.cut_patches(scene, frames, min_valid=min_valid))
        assert [patch.window for patch in patches] == frames
        assert [k for k, patch in enumerate(patches) if patch.files] == kept
    assert scene.coordinates == pytest.approx((9.001, 49.652), abs=1e-3)


def test_data_are_needed_in_both_images(tmp_path):
    write(tmp_path / "s1.tif", ramp(8, 8, 1, "uint8"))
    write(tmp_path / "s2.tif", ramp(8, 8, 3, "uint8") // 80, nodata=0)
    ((scene,), _) = find_scene_pairs(tmp_path / "s1.tif", tmp_path / "s2.tif")
    for min_valid, written in ((1.0, False), (0.5, True)):
        (patch,) = cut_scenes.cut_patches(scene, [Window(0, 0, 8, 8)], min_valid=min_valid)
        assert (patch.files is not None) == written


def test_files_come_back_to_the_pixels_of_their_window(tmp_path):
    sar, optical = ramp(16, 16, 2, "float64") - 300, ramp(16, 16, 3, "uint8")
    write(tmp_path / "s1.tif", sar)
    Image.fromarray(optical).save(tmp_path / "s2.png")
    ((scene,), _) = find_scene_pairs(tmp_path / "s1.tif", tmp_path / "s2.png")
    (patch,) = cut_scenes.cut_patches(scene, [Window(4, 8, 8, 8)], min_valid=1)
    names = cut_scenes.write_patch(patch, tmp_path, ("out/s1/a", "out/s2/a"))
    assert names == {"s1_fileName": "out/s1/a.tif", "s2_fileName": "out/s2/a.png"}
    assert np.array_equal(read_raster(tmp_path / "out/s1/a.tif").values, sar[4:12, 8:16])
    assert np.array_equal(read_raster(tmp_path / "out/s2/a.png").values, optical[4:12, 8:16])
    with rasterio.open(tmp_path / "out/s1/a.tif") as tile:
        assert (tile.bounds.left, tile.bounds.top) == (500080, 5499960)


@pytest.mark.parametrize(("dtype", "bands"), [("uint8", 1), ("uint8", 3), ("uint16", 1), ("uint16", 3)])
@pytest.mark.parametrize("holes", [False, True])
def test_png_keeps_depth_and_what_holds_no_data(tmp_path, dtype, bands, holes):
    values = ramp(8, 8, bands, dtype) * (1 if dtype == "uint8" else 300)
    write(tmp_path / "a.tif", values, crs=None, transform=None)
    with open_raster(tmp_path / "a.tif") as source:
        raster = source.read(source.info.whole)
    raster.valid[2, 3] = not holes
    (tmp_path / "b.png").write_bytes(
        cut_scenes.encode_patch(raster, type(source)(source.info, source.read), source.info.whole)
    )
    back = read_raster(tmp_path / "b.png")
    assert back.values.dtype == dtype and np.array_equal(back.values, values)
    assert back.valid.sum() == 64 - holes


def test_a_sample_is_taken_over_the_scene_without_nodata(tmp_path):
    values = ramp(32, 32, 1, "float32")
    values[0] = -9
    write(tmp_path / "a.tif", values, nodata=-9)
    ((scene,), _) = find_scene_pairs(tmp_path / "a.tif", tmp_path / "a.tif")
    sample = cut_scenes.sample_sar_values(scene, list_windows(32, 32, 4, 4))
    assert sample.dtype == np.float32 and sample.min() >= 32 and sample.max() > 900
    assert cut_scenes.sample_sar_values(scene, [Window(0, 0, 1, 8)]).size == 0
    empty = [Window(0, col, 1, 1) for col in range(20)]
    assert cut_scenes.sample_sar_values(scene, [*empty[:11], Window(31, 31, 1, 1), *empty[11:]]).tolist() == [1023]


def test_damage_inside_a_scene_is_named(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(buffer, "JPEG")
    (tmp_path / "s1.jpg").write_bytes(buffer.getvalue()[:1500])
    Image.new("L", (64, 64), 7).save(tmp_path / "s2.png")
    ((scene,), _) = find_scene_pairs(tmp_path / "s1.jpg", tmp_path / "s2.png")
    with pytest.raises(RsforgeError) as caught:
        list(cut_scenes.cut_patches(scene, [Window(0, 0, 8, 8)], min_valid=1))
    assert caught.value.code == "RSF-D002" and "s1.jpg" in caught.value.what
