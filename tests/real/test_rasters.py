"""Every odd picture and every real raster ends in a right read or a named refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rsforge.data.io.rasters import UnreadableError, read_info, read_raster
from rsforge.data.io.windows import Window

REFUSED = {
    "broken_data_stream.png",
    "crash-2020-10-test.tif",
    "lab.tif",
    "no_palette.gif",
    "rasterio_corrupt.tif",
    "truncated_image.png",
}


def outcome(path: Path) -> str:
    try:
        raster = read_raster(path)
    except UnreadableError as reason:
        assert 5 < len(str(reason)) < 300
        return "refused"
    info = raster.info
    assert raster.values.shape == (info.height, info.width, info.bands) and str(raster.values.dtype) == info.dtype
    assert raster.valid.shape == raster.values.shape[:2]
    return "read"


def test_odd_files_are_read_or_refused_with_a_reason(real_data: Path, capfd) -> None:
    outcomes = {path.name: outcome(path) for path in sorted((real_data / "odd_files" / "images").iterdir())}
    assert {name for name, word in outcomes.items() if word == "refused"} == REFUSED & outcomes.keys()
    assert len(outcomes) > 30 and "Error" not in capfd.readouterr().err


def test_real_rasters_are_read(real_data: Path) -> None:
    paths = [p for p in sorted((real_data / "geotiff").rglob("*")) if p.suffix.lower() == ".tif"]
    assert len(paths) > 8 and {outcome(path) for path in paths} == {"read"}
    empty = read_raster(real_data / "geotiff/rasterio/all-nodata.tif")
    assert not empty.valid.any() and empty.info.grid is not None


def test_known_values_and_places(real_data: Path) -> None:
    radar = next((real_data / "geotiff/sentinel1_pyrosar").glob("*.tif"))
    info, values = read_info(radar), read_raster(radar).values
    assert (info.dtype, info.nodata) == ("float32", -99.0) and -30 < np.median(values) < 0
    assert info.grid is not None and info.grid.gsd_m() == 20
    lon, lat = info.grid.centre(info.height, info.width) or (0, 0)
    assert 4 < lon < 5 and 43 < lat < 44  # the Camargue
    window = Window(50, 60, 32, 40)
    assert np.array_equal(read_raster(radar, window).values, values[50:82, 60:100])
