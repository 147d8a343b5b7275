"""The GeoTIFFs of a drawn scene: the first draw, and mean and spread where there are several, strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rsforge.data.io.georeference import BandMetadata, Mask, RasterInfo
from rsforge.data.io.geotiff_writer import WriteRows, geotiff_writer
from rsforge.data.io.raster_writer import RASTERS
from rsforge.data.scenes.blend_weights import Floats
from rsforge.errors import RsforgeError

COLOURS = ("red", "green", "blue")
GREYS_PER_UNIT = 127.5  # 256 grey values for [-1, 1]


@dataclass(frozen=True)
class SceneFiles:
    """The files of a scene, which lie where ``source`` does: ``image``, and ``also`` ``mean`` and ``spread`` of draws.

    ``image`` and ``mean`` are of 8 bits with a mask. ``spread`` is the standard deviation of the draws in grey values,
    the mean of the three colours, float32 and NaN in gaps.
    """

    image: Path
    source: RasterInfo
    tags: dict[str, str]
    also: tuple[str, ...] = ()

    @property
    def record(self) -> Path:
        """The JSON file that says how all was made."""
        return self.image.with_suffix(".json")

    @property
    def rasters(self) -> dict[str, Path]:
        """The GeoTIFFs by what they hold."""
        siblings = {part: self.image.with_name(f"{self.image.stem}_{part}{self.image.suffix}") for part in self.also}
        return {"image": self.image, **siblings}

    @contextmanager
    def open(self) -> Iterator[StripWriter]:
        """Yield what writes strips; the files get their names when the block ends without an error."""
        with ExitStack() as stack:
            yield StripWriter({part: stack.enter_context(self._open(part)) for part in self.rasters})

    @contextmanager
    def _open(self, part: str) -> Iterator[WriteRows]:
        path, own, bands = self.rasters[part], self.source, ("spread",) if part == "spread" else COLOURS
        count = len(bands)
        dtype, nodata, mode = ("float32", np.nan, "") if part == "spread" else ("uint8", None, "RGB")
        info = RasterInfo(path, own.height, own.width, count, dtype, nodata, own.grid, mode, control=own.control)
        notes = BandMetadata(self.tags, [{}] * count, list(bands), [None] * count, [1.0] * count, [0.0] * count)
        with geotiff_writer(path, info, notes) as write:
            yield write


@dataclass(frozen=True)
class StripWriter:
    """Writes strips ``(K, 3, rows, W)`` of K draws in [-1, 1], and where they hold data ``(rows, W)``."""

    writers: dict[str, WriteRows]

    def __call__(self, draws: Floats, valid: Mask) -> None:
        greys = (np.moveaxis(draws, 1, -1) + 1) * GREYS_PER_UNIT
        self.writers["image"](_round(greys[0], valid), valid)
        if "mean" in self.writers:
            self.writers["mean"](_round(greys.mean(0), valid), valid)
        if "spread" in self.writers:
            spread = greys.std(0, ddof=1).mean(-1, keepdims=True)
            self.writers["spread"](np.where(valid[..., None], spread, np.nan).astype(np.float32), valid)


def _round(greys: Floats, valid: Mask) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.where(valid[..., None], np.rint(greys), 0).astype(np.uint8)


def check_name(image: Path) -> None:
    """RSF-U006 unless a GeoTIFF can be written under this name."""
    if image.suffix.lower() not in RASTERS or image.is_dir():
        what = f"{image} is a folder" if image.is_dir() else f"{image.name!r} is no name for a GeoTIFF"
        raise RsforgeError("RSF-U006", what, where="--output", fix="name a file that ends in .tif")
