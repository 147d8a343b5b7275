from __future__ import annotations

import io

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.data.io.rasters import open_raster, read_raster
from rsforge.data.io.windows import Window, list_windows
from rsforge.data.pairs import cut_scenes
from rsforge.data.pairs.scene_pairs import find_scene_pairs, holds_scene, safe_name
from rsforge.errors import RsforgeError
from tests.worlds.rasters import NORTH_UP, ramp, write


def touch(folder, *names, size=(12, 16)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size[::-1], 7).save(path)


def refused(code, *paths):
    with pytest.raises(RsforgeError) as caught:
        find_scene_pairs(*paths)
    assert caught.value.code == code
    return caught.value


def test_two_files_are_a_scene_called_after_them(tmp_path):
    touch(tmp_path, "delta/s1.png", "delta/s2.png", "lake_s1.png", "lake_rgb.png")
    ((scene,), orphans) = find_scene_pairs(tmp_path / "delta/s1.png", tmp_path / "delta/s2.png")
    assert (scene.name, scene.sar.height, scene.coordinates, orphans) == ("delta", 12, None, [])
    ((scene,), _) = find_scene_pairs(tmp_path / "lake_s1.png", tmp_path / "lake_rgb.png")
    assert scene.name == "lake"


def test_one_folder_holds_scenes_in_folders_or_by_token(tmp_path):
    touch(tmp_path, "b/s1.png", "b/s2.jpg", "a2/SAR.png", "a2/optical.png", "a10_s1.png", "a10_s2.png", "other.png")
    scenes, _ = find_scene_pairs(tmp_path, tmp_path / "." / "b" / "..")
    assert [scene.name for scene in scenes] == ["a2", "a10", "b"]
    assert scenes[0].optical.path.name == "optical.png" and scenes[1].optical.path.name == "a10_s2.png"
    assert holds_scene(tmp_path / "b") and not holds_scene(tmp_path) and not holds_scene(tmp_path / "none")


def test_two_folders_pair_by_name_and_the_rest_is_told(tmp_path):
    touch(tmp_path, "sar/x y.png", "opt/x y.png", "sar/lone.png")
    scenes, orphans = find_scene_pairs(tmp_path / "sar", tmp_path / "opt")
    assert [scene.name for scene in scenes] == ["x_y"] and orphans == [("lone.png", "opt has no partner of it")]


def test_what_is_no_scene_is_refused(tmp_path):
    touch(tmp_path, "one/s1.png", "one/s2.png", "a/x.png", "b/y.png", "c/s1.png", "d/k/s1.png", "d/k/s1.jpg")
    touch(tmp_path, "e/s1.png", size=(12, 17))
    touch(tmp_path, "f/p q.png", "f/p_q.png", "g/p q.png", "g/p_q.png")
    touch(tmp_path, "e/s2.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    refused("RSF-D001", tmp_path / "none", tmp_path)
    refused("RSF-U005", tmp_path, tmp_path / "one/s2.png")
    assert "SCENE/s1" in refused("RSF-D009", tmp_path / "a", tmp_path / "b").fix
    assert refused("RSF-D009", tmp_path / "c", tmp_path / "c").found == "s1.png"
    refused("RSF-D009", tmp_path / "d", tmp_path / "d")
    assert "12 x 17" in refused("RSF-D009", tmp_path / "e", tmp_path / "e").what
    assert "p_q" in refused("RSF-D009", tmp_path / "f", tmp_path / "g").what
    refused("RSF-D002", tmp_path / "one/s1.png", tmp_path / "broken.png")


def test_grids_of_a_scene_must_agree(tmp_path):
    write(tmp_path / "s1.tif", ramp(8, 8, 1, "float32"))
    write(tmp_path / "s2.tif", ramp(8, 8, 3, "uint8"), transform=NORTH_UP @ NORTH_UP.translation(2, 0))
    assert "2.00 pixels apart" in refused("RSF-D009", tmp_path / "s1.tif", tmp_path / "s2.tif").what


@pytest.mark.parametrize(
    ("name", "kept"), [("a b/c", "a_b_c"), ("../x", "x"), (".hid", "hid"), ("--", "scene"), ("Zürich.1", "Zürich.1")]
)
def test_names_are_made_safe(name, kept):
    assert safe_name(name) == kept and len(safe_name("x" * 300)) == 100


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
    touch(tmp_path, "s2.png", size=(64, 64))
    ((scene,), _) = find_scene_pairs(tmp_path / "s1.jpg", tmp_path / "s2.png")
    with pytest.raises(RsforgeError) as caught:
        list(cut_scenes.cut_patches(scene, [Window(0, 0, 8, 8)], min_valid=1))
    assert caught.value.code == "RSF-D002" and "s1.jpg" in caught.value.what
