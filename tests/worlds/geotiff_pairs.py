"""A pair of SAR and optical GeoTIFF files."""

from __future__ import annotations

import numpy as np

from rsforge.data.pairs.pair import Pair
from tests.worlds.rasters import write


def geotiffs(folder, sar: np.ndarray, optical: np.ndarray, **profile) -> Pair:
    for side, values in (("s1", sar), ("s2", optical)):
        (folder / side).mkdir(exist_ok=True)
        write(folder / side / "a.tif", values, **(profile if side == "s1" else {}))
    return Pair("a", folder / "s1" / "a.tif", folder / "s2" / "a.tif")
