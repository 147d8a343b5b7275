"""Real scenes and patches through untrained generators: what comes out lies where it should and has no seams."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from PIL import Image

from rsforge.cli.main import run
from rsforge.data.io.rasters import read_raster
from rsforge.data.sar.radiometry import Radiometry
from tests.worlds.cyclegan import write_checkpoint


def translate(*words: object) -> None:
    assert run(["cyclegan", "translate", "--device", "cpu", *map(str, words)]) == 0


def test_two_bands_in_decibels_become_colours_at_their_place(real_data, tmp_path):
    folder = real_data / "sar_optical" / "terramind_geotiff"
    write_checkpoint(tmp_path / "two.pt", image_size=64, sar_channels=2, radiometry=Radiometry("db", -25, 0))
    translate("--checkpoint", tmp_path / "two.pt", "--input", folder, "--output", tmp_path / "out")
    made = sorted((tmp_path / "out").rglob("*.tif"))
    assert [path.name for path in made] == sorted(path.name for path in (folder / "S1RTC").iterdir())
    for path in made:
        with rasterio.open(path) as target, rasterio.open(folder / "S1RTC" / path.name) as source:
            assert (target.crs, target.transform, target.shape) == (source.crs, source.transform, source.shape)
            assert target.dtypes == ("uint8",) * 3
    assert read_raster(made[0]).valid.all()


def test_a_scene_without_data_in_places_has_none_there(real_data, tmp_path):
    source = next((real_data / "geotiff/sentinel1_pyrosar").glob("*.tif"))
    write_checkpoint(tmp_path / "one.pt", image_size=64, radiometry=Radiometry("db", -25, 0))
    translate("--checkpoint", tmp_path / "one.pt", "--input", source, "--output", tmp_path / "a.tif")
    assert np.array_equal(read_raster(tmp_path / "a.tif").valid, read_raster(source).valid)


@pytest.mark.parametrize("overlap", [0, 16])
def test_a_whole_scene_is_pixel_for_pixel_that_of_its_tiles(real_data, tmp_path, overlap):
    """Where one tile alone counts, the mosaic of a scene is what the generator makes of that tile."""
    write_checkpoint(tmp_path / "one.pt", image_size=64)
    with Image.open(real_data / "sar_optical/sih1733_scenes/scene1/s1.jpg") as image:
        part = image.convert("L").crop((300, 200, 300 + 64 * 6 - 16 * 5, 200 + 150))
    part.save(tmp_path / "part.png")
    part.crop((0, 0, 64, 64)).save(tmp_path / "first.png")
    for name in ("part", "first"):
        words = "--input", tmp_path / f"{name}.png", "--output", tmp_path / f"of_{name}.png", "--overlap", overlap
        translate("--checkpoint", tmp_path / "one.pt", *words)
    whole, first = (read_raster(tmp_path / f"of_{name}.png").values for name in ("part", "first"))
    assert whole.shape == (150, part.width, 3)
    assert np.array_equal(whole[:48, :48], first[:48, :48])
