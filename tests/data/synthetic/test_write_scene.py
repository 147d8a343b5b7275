from __future__ import annotations

import numpy as np
import pytest
import rasterio

from rsforge.data.synthetic import world
from rsforge.data.synthetic.backscatter import to_decibel
from rsforge.data.synthetic.world import draw_pair
from rsforge.data.synthetic.write_scene import NODATA_DB, list_files, write


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    root = tmp_path_factory.mktemp("scene")
    assert list(write(root, count=2, size=80, seed=6)) == [1, 1]
    assert sorted(p.relative_to(root).as_posix() for p in root.rglob("*.tif")) == sorted(list_files(2))
    return root


def test_both_images_lie_on_one_grid(scene) -> None:
    with rasterio.open(scene / "scene_000/s1.tif") as s1, rasterio.open(scene / "scene_000/s2.tif") as s2:
        assert s1.crs == s2.crs == "EPSG:32632" and s1.transform == s2.transform and s1.res == (10, 10)
        assert (s1.dtypes, s1.nodata, s2.dtypes, s2.nodata) == (("float32",), NODATA_DB, ("uint8",) * 3, 0)
        assert s1.compression.value == s2.compression.value == "DEFLATE" and s1.descriptions == ("sigma0_vv_db",)
    with rasterio.open(scene / "scene_001/s1.tif") as other:
        assert other.bounds.left == s1.bounds.right


def test_the_values_are_those_of_the_world_but_for_the_swath_edge(scene) -> None:
    optical, sar = draw_pair(6, 0, 80)
    with rasterio.open(scene / "scene_000/s1.tif") as s1, rasterio.open(scene / "scene_000/s2.tif") as s2:
        db, rgb = s1.read(1), s2.read()
        assert (s2.dataset_mask() == 255).all()
    valid = db != NODATA_DB
    assert 0.9 < valid.mean() < 1 and not valid[0, -1] and valid[:, 0].all()
    np.testing.assert_allclose(db[valid], to_decibel(sar)[valid], rtol=1e-5)
    assert np.array_equal(rgb.transpose(1, 2, 0), np.maximum(optical, 1))


def test_strips_write_the_same_file(scene, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(world, "_SAMPLES", 4 * 80 * 16)
    list(write(tmp_path, count=1, size=80, seed=6))
    for side in ("s1", "s2"):
        with (
            rasterio.open(scene / f"scene_000/{side}.tif") as whole,
            rasterio.open(tmp_path / f"scene_000/{side}.tif") as strips,
        ):
            np.testing.assert_allclose(strips.read(), whole.read(), rtol=1e-5)
