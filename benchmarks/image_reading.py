"""What reading images through a view costs beside decoding their bytes: JPEGs and GeoTIFFs of 128 pixels.

``bytes`` decodes JPEGs alone; ``check`` hashes and decodes every file as a training does first, ``epoch`` makes the
tensors of one epoch, and ``measure`` the statistics of ``data stats`` and ``data audit``.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from _paired import interleaved, repeats, report, timed
from PIL import Image
from rasterio.transform import from_origin

from rsforge.data.audit.inspect_items import inspect_items
from rsforge.data.images.tile_dataset import TileDataset, scan
from rsforge.data.io.image_reader import decode_rgb, read_bytes
from rsforge.data.io.native_output import silence_libraries
from rsforge.data.splits.contents import find_contents

COUNT, SIDE = 200, 128


def draw_images(folder: Path) -> None:
    """``COUNT`` images of noise in each of the folders jpeg and geotiff."""
    rng = np.random.default_rng(0)
    place = {"driver": "GTiff", "crs": "EPSG:32633", "transform": from_origin(500_000, 5_400_000, 10, 10)}
    for name in ("jpeg", "geotiff"):
        (folder / name).mkdir()
    for number in range(COUNT):
        pixels = rng.integers(20, 230, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "jpeg" / f"{number}.jpg", quality=90)
        told = {"height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8"}
        with silence_libraries(), rasterio.open(folder / "geotiff" / f"{number}.tif", "w", **place, **told) as target:
            target.write(np.moveaxis(pixels, -1, 0))


def measure(folder: Path) -> None:
    for _ in inspect_items(find_contents(folder), radiometry=None, gray=True):
        pass


def main() -> None:
    rounds = repeats(3)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        draw_images(folder)
        jpegs = sorted((folder / "jpeg").iterdir())
        sides = {"bytes of jpeg": partial(timed, lambda: [decode_rgb(read_bytes(path)) for path in jpegs])}
        for name in ("jpeg", "geotiff"):
            tiles = scan(folder / name).tiles
            sides[f"check of {name}"] = partial(timed, partial(scan, folder / name))
            sides[f"epoch of {name}"] = partial(timed, partial(TileDataset, tiles, image_size=64, seed=0))
            sides[f"measure of {name}"] = partial(timed, partial(measure, folder / name))
        report("image_reading", interleaved(sides, rounds), against="bytes of jpeg", count=COUNT)


if __name__ == "__main__":
    main()
