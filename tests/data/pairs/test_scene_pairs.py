"""Which files are a pair of scenes."""

from __future__ import annotations

import pytest
import rasterio
from PIL import Image
from rasterio.rpc import RPC

from rsforge.data.io.native_output import silence_libraries
from rsforge.data.pairs.scene_pairs import find_scene_pairs, holds_scene, safe_name
from rsforge.errors import RsforgeError
from tests.worlds import band_files
from tests.worlds.awkward_images import write_upside_down
from tests.worlds.pair_folders import touch
from tests.worlds.rasters import NORTH_UP, ramp, write

_COEFFICIENTS = ("line_num_coeff", "line_den_coeff", "samp_num_coeff", "samp_den_coeff")


def write_gray(folder, *names, size=(12, 16)):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size[::-1], 7).save(path)


def scenes_refused(code, *paths):
    with pytest.raises(RsforgeError) as caught:
        find_scene_pairs(*paths)
    assert caught.value.code == code
    return caught.value


def test_two_files_are_a_scene_called_after_them(tmp_path):
    write_gray(tmp_path, "delta/s1.png", "delta/s2.png", "lake_s1.png", "lake_rgb.png")
    ((scene,), orphans) = find_scene_pairs(tmp_path / "delta/s1.png", tmp_path / "delta/s2.png")
    assert (scene.name, scene.sar.height, scene.coordinates, orphans) == ("delta", 12, None, [])
    ((scene,), _) = find_scene_pairs(tmp_path / "lake_s1.png", tmp_path / "lake_rgb.png")
    assert scene.name == "lake"


def test_one_folder_holds_scenes_in_folders_or_by_token(tmp_path):
    write_gray(
        tmp_path, "b/s1.png", "b/s2.jpg", "a2/SAR.png", "a2/optical.png", "a10_s1.png", "a10_s2.png", "other.png"
    )
    scenes, _ = find_scene_pairs(tmp_path, tmp_path / "." / "b" / "..")
    assert [scene.name for scene in scenes] == ["a2", "a10", "b"]
    assert scenes[0].optical.path.name == "optical.png" and scenes[1].optical.path.name == "a10_s2.png"
    assert holds_scene(tmp_path / "b") and not holds_scene(tmp_path) and not holds_scene(tmp_path / "none")


def test_two_folders_pair_by_name_and_the_rest_are_orphans(tmp_path):
    write_gray(tmp_path, "sar/x y.png", "opt/x y.png", "sar/lone.png")
    scenes, orphans = find_scene_pairs(tmp_path / "sar", tmp_path / "opt")
    assert [scene.name for scene in scenes] == ["x_y"] and orphans == [("lone.png", "opt has no partner of it")]


def test_what_is_no_scene_is_refused(tmp_path):
    write_gray(tmp_path, "one/s1.png", "one/s2.png", "a/x.png", "b/y.png", "c/s1.png", "d/k/s1.png", "d/k/s1.jpg")
    write_gray(tmp_path, "e/s1.png", size=(12, 17))
    write_gray(tmp_path, "f/p q.png", "f/p_q.png", "g/p q.png", "g/p_q.png")
    write_gray(tmp_path, "e/s2.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    scenes_refused("RSF-D001", tmp_path / "none", tmp_path)
    scenes_refused("RSF-U005", tmp_path, tmp_path / "one/s2.png")
    fix = scenes_refused("RSF-D009", tmp_path / "a", tmp_path / "b").fix
    assert "SCENE/s1" in fix and "as two files" in fix
    assert scenes_refused("RSF-D009", tmp_path / "c", tmp_path / "c").found == "s1.png"
    scenes_refused("RSF-D009", tmp_path / "d", tmp_path / "d")
    assert "12 x 17" in scenes_refused("RSF-D009", tmp_path / "e", tmp_path / "e").what
    assert "p_q" in scenes_refused("RSF-D009", tmp_path / "f", tmp_path / "g").what
    scenes_refused("RSF-D002", tmp_path / "one/s1.png", tmp_path / "broken.png")


def test_grids_of_a_scene_must_agree(tmp_path):
    write(tmp_path / "s1.tif", ramp(8, 8, 1, "float32"))
    write(tmp_path / "s2.tif", ramp(8, 8, 3, "uint8"), transform=NORTH_UP @ NORTH_UP.translation(2, 0))
    assert "2.00 pixels apart" in scenes_refused("RSF-D009", tmp_path / "s1.tif", tmp_path / "s2.tif").what


@pytest.mark.parametrize(
    ("name", "kept"), [("a b/c", "a_b_c"), ("../x", "x"), (".hid", "hid"), ("--", "scene"), ("Zürich.1", "Zürich.1")]
)
def test_names_are_made_safe(name, kept):
    assert safe_name(name) == kept and len(safe_name("x" * 300)) == 100


def test_a_grid_and_control_points_are_not_laid_on_each_other(tmp_path):
    write_upside_down(tmp_path)
    for sar, optical, placed in (("sar", "optical", "the SAR image is placed by"), ("optical", "sar", "the optical")):
        with pytest.raises(RsforgeError, match=placed) as refused:
            find_scene_pairs(tmp_path / f"{sar}.tif", tmp_path / f"{optical}.tif")
        assert refused.value.code == "RSF-D009" and "--warp" in refused.value.fix


def test_control_points_and_rational_polynomials_are_not_laid_on_each_other(tmp_path):
    write_upside_down(tmp_path)
    write(tmp_path / "optical.tif", ramp(64, 64, 3, "uint8"), crs=None, transform=None, photometric="RGB")
    with silence_libraries(), rasterio.open(tmp_path / "optical.tif", "r+") as target:
        target.rpcs = RPC(**dict.fromkeys(("height_off", "lat_off", "line_off", "long_off", "samp_off"), 1.0),
                          **dict.fromkeys(("height_scale", "lat_scale", "line_scale", "long_scale", "samp_scale"), 9.0),
                          **dict.fromkeys(_COEFFICIENTS, [1.0] * 20))  # fmt: skip
    refused = scenes_refused("RSF-D009", tmp_path / "sar.tif", tmp_path / "optical.tif")
    assert "their control points differ" in refused.what


def test_a_scene_to_warp_has_the_size_of_the_grid(tmp_path):
    write_upside_down(tmp_path)
    ((scene,), _) = find_scene_pairs(tmp_path / "sar.tif", tmp_path / "optical.tif", warp=True)
    assert scene.warped and scene.size == (64, 64) and scene.coordinates is not None
    assert scene.grid_of_sar == scene.optical and scene.grid_of_optical is None


def test_numbered_images_are_no_scene(tmp_path):
    touch(tmp_path, *(f"s{k}.tif" for k in range(4)))
    assert not holds_scene(tmp_path)
    touch(tmp_path / "scene", "s1.tif", "s2.tif")
    assert holds_scene(tmp_path / "scene")


def test_sets_of_bands_are_scenes(tmp_path):
    for name in ("lake", "town"):
        band_files.radar(tmp_path, stem=name)
        band_files.optical(tmp_path, stem=name)
    scenes, _ = find_scene_pairs(tmp_path, tmp_path)
    assert [(scene.name, scene.sar.bands, scene.optical.bands) for scene in scenes] == [("lake", 2, 3), ("town", 2, 3)]
    ((scene,), _) = find_scene_pairs(tmp_path / "lake_{VV,VH}.tif", tmp_path / "lake_{B02,B03,B04}.tif")
    assert scene.name == "lake" and scene.sar.bands == 2
    band_files.radar(tmp_path / "s", "sea/{band}.tif")
    band_files.optical(tmp_path / "s", "sea/{band}.tif")
    assert [scene.name for scene in find_scene_pairs(tmp_path / "s", tmp_path / "s")[0]] == ["sea"]


def test_the_one_image_of_each_of_two_folders_is_a_scene_where_both_say_their_place(tmp_path):
    band_files.radar(tmp_path / "rtc", stem="S1A_IW_2020")
    band_files.optical(tmp_path / "msi", stem="T32UPU_2020")
    ((scene,), orphans) = find_scene_pairs(tmp_path / "rtc", tmp_path / "msi")
    assert scene.name == "T32UPU_2020" and orphans == []
    write_gray(tmp_path, "one/x.png", "other/y.png")
    scenes_refused("RSF-D009", tmp_path / "one", tmp_path / "other")


@pytest.mark.parametrize("other", ["lake_s1.jpg", "s1_lake.png"])
def test_two_images_of_one_scene_are_refused_until_one_is_taken_away(tmp_path, other):
    write_gray(tmp_path, "lake_s1.png", "lake_s2.png", other)
    refused = scenes_refused("RSF-D009", tmp_path, tmp_path)
    assert "are the SAR image of the scene lake" in refused.what and other in refused.found
    assert refused.fix.startswith("keep one of them")
    (tmp_path / other).unlink()
    assert [scene.name for scene in find_scene_pairs(tmp_path, tmp_path)[0]] == ["lake"]
