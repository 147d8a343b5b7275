"""The GeoTIFFs of a drawn scene hold what the draws say, where the source holds data."""

from __future__ import annotations

import numpy as np
import pytest

from rsforge.data.io.rasters import read_info, read_raster
from rsforge.recipes.sample.scene_files import SceneFiles
from tests.worlds.rasters import ramp, write


@pytest.mark.parametrize("also", [(), ("mean",), ("mean", "spread")])
def test_each_file_holds_its_figure_of_the_draws(tmp_path, also):
    source = read_info(write(tmp_path / "sar.tif", ramp(10, 12, 1, "uint16")))
    files = SceneFiles(tmp_path / "optical.tif", source, {"SEED": "1"}, also)
    rng = np.random.default_rng(0)
    draws, valid = rng.uniform(-1, 1, (4, 3, 10, 12)).astype(np.float32), rng.uniform(size=(10, 12)) > 0.3
    with files.open() as write_strip:
        write_strip(draws[:, :, :7], valid[:7])
        write_strip(draws[:, :, 7:], valid[7:])
    greys = (draws + 1) * 127.5
    figures = {"image": greys[0], "mean": greys.mean(0), "spread": greys.std(0, ddof=1).mean(0, keepdims=True)}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["sar.tif", "optical.tif", *(f"optical_{part}.tif" for part in also)]
    )
    for part, path in files.rasters.items():
        made, rounding = read_raster(path), 1e-4 if part == "spread" else 0.501
        assert np.array_equal(made.valid, valid) and made.info.grid == source.grid
        assert np.abs(np.moveaxis(made.values, -1, 0) - figures[part])[:, valid].max() <= rounding
