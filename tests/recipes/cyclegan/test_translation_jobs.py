"""Which bands of an image are translated."""

from __future__ import annotations

import numpy as np
import rasterio

from tests.worlds.translation import decibels, raster, refused, translate


def test_chosen_bands_are_translated_as_an_image_of_them_alone(checkpoints, tmp_path):
    values = decibels(40, 56, 4)
    values[:8, :, 1] = np.nan  # gaps of a band that is not taken
    many, two = raster(tmp_path / "many.tif", values), raster(tmp_path / "two.tif", values[..., [3, 0]])
    line = "--input {} --output {} --tile 32"
    assert translate(f"{line} --bands 4,1", checkpoints / "two.pt", many, tmp_path / "a.tif") == 0
    assert translate(line, checkpoints / "two.pt", two, tmp_path / "b.tif") == 0
    with rasterio.open(tmp_path / "a.tif") as a, rasterio.open(tmp_path / "b.tif") as b:
        np.testing.assert_array_equal(a.read(), b.read())
        assert a.tags()["BANDS"] == "4,1" and "BANDS" not in b.tags()


def test_an_image_of_more_bands_names_them_and_the_option(checkpoints, tmp_path, capsys):
    many, line = raster(tmp_path / "many.tif", decibels(40, 40, 4)), "--input {} --output {}"
    error = refused(capsys, "RSF-D003", line, checkpoints / "two.pt", many, tmp_path / "a.tif")
    assert "many.tif has 4 bands" in error and "for example --bands 1,2" in error
    error = refused(capsys, "RSF-D003", f"{line} --bands 1,2,3", checkpoints / "two.pt", many, tmp_path / "a.tif")
    assert "--bands names 3 bands" in error and "the generator takes 2" in error
    error = refused(capsys, "RSF-D003", f"{line} --bands 1,VH", checkpoints / "two.pt", many, tmp_path / "a.tif")
    assert "no band 'VH'" in error
