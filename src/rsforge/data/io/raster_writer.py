"""Pictures and GeoTIFFs under one roof, filled from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge import durable
from rsforge.data.io.georeference import Mask, Notes, RasterInfo
from rsforge.data.io.geotiff_writer import Put, filling
from rsforge.data.io.image_writer import encode

RASTERS = (".tif", ".tiff")
_WITH_ALPHA = (".png", ".webp")


@contextmanager
def canvas(path: Path, info: RasterInfo, notes: Notes | None = None) -> Iterator[Put]:
    """Take the rows ``(h, width, C)`` of the image ``info``, and where they hold data, and write it when all have come.

    A TIFF is one of measurements (:func:`filling`). Other suffixes need uint8 of 1 or 3 bands; what holds no data is
    transparent where the format can say so.
    """
    if path.suffix.lower() in RASTERS:
        with filling(path, info, notes) as put:
            yield put
        return
    rows: list[tuple[npt.NDArray[Any], Mask]] = []
    yield lambda values, valid: rows.append((values, valid))
    values, valid = (np.concatenate(part) for part in zip(*rows, strict=True))
    if not valid.all() and path.suffix.lower() in _WITH_ALPHA:
        values = np.concatenate([values, np.where(valid, 255, 0).astype(np.uint8)[..., None]], axis=-1)
    durable.write_bytes(path, encode(values.squeeze(-1) if values.shape[-1] == 1 else values, path.suffix))
