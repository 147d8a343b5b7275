"""The most memory that `hsi predict` takes for a scene of 500 x 500 pixels and for one of 2,000 x 2,000.

The larger one is predicted in one piece too, and the largest difference of the two results is told, in shares of the
largest value; it ends with 1 where that is above 1e-5. Few bands, so that it is the scene and not the network that
could fill the memory: 3 of Landsat to 12. Each run is a process of its own. ``--repeats`` is not needed: the figure
hardly changes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from tests.worlds.spectral_checkpoints import PLACE, draw_landsat, write_stage1

SIDES = (500, 2000)
MOST_APART = 1e-5
MEASURE = (
    "import resource, sys; from rsforge.cli.main import run; code = run(sys.argv[1:]); "
    "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def write_scene(path: Path, side: int) -> Path:
    """A scene of equal tiles, written tile by tile."""
    tile = np.moveaxis(draw_landsat(250, 250), -1, 0)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 3, "dtype": "float32", "tiled": True}
    with rasterio.open(path, "w", **profile, **PLACE) as target:
        target.update_tags(units="radiance")
        for row in range(0, side, 250):
            for col in range(0, side, 250):
                target.write(tile, window=Window(col, row, 250, 250))
    return path


def measure(checkpoint: Path, scene: Path, output: Path, *more: str) -> tuple[float, float]:
    """MiB and seconds of one prediction."""
    words = ["hsi", "predict", "--stage1-checkpoint", checkpoint, "--input", scene, "--output", output, "--quiet"]
    words += more
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, words), "--device", "cpu"], capture_output=True, text=True, check=True
    )
    return int(done.stderr.split()[-1]) / 1024, time.perf_counter() - began


def compare(one: Path, other: Path, rows: int = 100) -> float:
    """The largest difference of two results of one size, relative to their largest value."""
    apart = largest = 0.0
    with rasterio.open(one) as first, rasterio.open(other) as second:
        for row in range(0, first.height, rows):
            window = Window(0, row, first.width, min(rows, first.height - row))
            values = first.read(window=window)
            apart = max(apart, float(np.abs(values - second.read(window=window)).max()))
            largest = max(largest, float(values.max()))
    return apart / largest


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    mib, seconds = {}, {}
    with tempfile.TemporaryDirectory() as place:
        checkpoint = write_stage1(Path(place) / "stage1.pth")
        for side in SIDES:
            scene = write_scene(Path(place) / f"{side}.tif", side)
            mib[side], seconds[side] = measure(checkpoint, scene, Path(place) / f"out_{side}.tif")
        whole = Path(place) / "whole.tif"
        piece, _ = measure(checkpoint, scene, whole, "--tile", "4096")
        apart = compare(Path(place) / f"out_{SIDES[1]}.tif", whole)
    ratio = mib[SIDES[1]] / mib[SIDES[0]]
    figures = {"mib": mib, "seconds": seconds, "ratio": ratio, "one_piece_mib": piece, "apart": apart}
    print(json.dumps({"benchmark": "scene_memory", **figures}))
    sys.exit(apart > MOST_APART)


if __name__ == "__main__":
    main()
