"""Synthetic scenes as georeferenced pairs of GeoTIFFs: SAR in dB and optical RGB on one grid."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.windows import Window as Frame

from rsforge import durable
from rsforge.data.synthetic.backscatter import to_decibel
from rsforge.data.synthetic.world import draw_sar_strips

CRS = "EPSG:32632"
GSD_M = 10
NODATA_DB = -9999.0


def list_files(count: int) -> list[str]:
    """The files that ``write`` writes: both images of each scene."""
    return [f"scene_{k:03d}/{name}.tif" for k in range(count) for name in ("s1", "s2")]


def write(root: Path, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` scenes of ``size`` x ``size`` pixels of 10 m, UTM zone 32 north; yields 1 after each.

    ``s1.tif`` is sigma0 in dB, float32, with the slanted edge of a swath as -9999; ``s2.tif`` is uint8 RGB, nodata 0.
    """
    for k in range(count):
        folder = root / f"scene_{k:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        options = _creation_options(k, size)
        with durable.open_atomic(folder / "s1.tif") as s1, durable.open_atomic(folder / "s2.tif") as s2:
            sar = rasterio.open(s1, "w", **options, count=1, dtype="float32", nodata=NODATA_DB, predictor=3)
            optical = rasterio.open(s2, "w", **options, count=3, dtype="uint8", nodata=0, photometric="RGB")
            with sar, optical:
                _write_strips(sar, optical, seed, k, size)
        yield 1


def _creation_options(number: int, size: int) -> dict[str, Any]:
    # Ten scenes lie side by side, the next ten 200 km further south.
    east = 400_000 + number % 10 * size * GSD_M
    north = 5_300_000 - number // 10 * 200_000
    block = min(256, math.ceil(size / 16) * 16)
    return {
        "driver": "GTiff", "height": size, "width": size,
        "crs": CRS, "transform": Affine(GSD_M, 0, east, 0, -GSD_M, north),
        "tiled": True, "blockxsize": block, "blockysize": block, "compress": "deflate",
    }  # fmt: skip


def _write_strips(sar: Any, optical: Any, seed: int, number: int, size: int) -> None:
    row = 0
    for scene, power in draw_sar_strips(seed, number, size):
        db = to_decibel(power)
        picture = np.maximum(scene.pixels(), 1)
        db[_outside_swath(row, len(db), size)] = NODATA_DB
        frame = Frame(0, row, size, len(db))
        sar.write(db, 1, window=frame)
        optical.write(np.moveaxis(picture, -1, 0), window=frame)
        row += len(db)
    sar.set_band_description(1, "sigma0_vv_db")
    sar.update_tags(polarisation="VV", unit="dB")


def _outside_swath(row: int, rows: int, size: int) -> npt.NDArray[np.bool_]:
    """Pixels outside the swath, whose slanted edge crosses the right border."""
    y = np.arange(row, row + rows)[:, None]
    x = np.arange(size)[None]
    beyond: npt.NDArray[np.bool_] = x >= size - size // 10 + y // 4
    return beyond
