"""Cubes written by windows, with a gap, on a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from rsforge.data.cubes.cube_output import CubeHeader, geotiff_cube_writer
from rsforge.data.io.georeference import Grid
from rsforge.data.io.windows import Window
from rsforge.data.scenes.core_tiles import CoreTiles, window_within

GRID = Grid(CRS.from_epsg(32632).to_wkt(), (4.0, 0.0, 5e5, 0.0, -4.0, 5.5e6))
NM, FWHM = np.array([450.5, 551.25, 2201.0]), np.array([5.0, 6.5, 10.0])


def draw_cube(height: int = 70, width: int = 50) -> np.ndarray:
    values = np.random.default_rng(0).random((3, height, width), np.float32)
    values[1, 3, 4] = np.nan
    return values


def write_cube(path: Path, values: np.ndarray, writer=geotiff_cube_writer, block: int = 32, **facts) -> Path:
    header = CubeHeader(values.shape[1], values.shape[2], 3, block=block, **facts)
    with writer(path, header) as put:
        for window in CoreTiles(values.shape[1], values.shape[2], block):
            rows, cols = window_within(window, Window(0, 0, *values.shape[1:]))
            put(window, values[:, rows, cols])
    return path
