"""GeoTIFFs and other image files written row by row through one interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge import durable
from rsforge.data.io.georeference import BandMetadata, Mask, RasterInfo
from rsforge.data.io.geotiff_writer import WriteRows, geotiff_writer
from rsforge.data.io.image_writer import encode_image

RASTERS = (".tif", ".tiff")
_WITH_ALPHA = (".png", ".webp")


@contextmanager
def raster_writer(path: Path, info: RasterInfo, metadata: BandMetadata | None = None) -> Iterator[WriteRows]:
    """Yield a function that takes rows ``(h, width, C)`` and their mask, and write ``path`` when the block ends.

    TIFFs are written by ``geotiff_writer``, in their own dtype. Other suffixes need uint8 of 1 or 3 bands and are
    encoded at the end; invalid pixels are transparent where the format has an alpha band.
    """
    if path.suffix.lower() in RASTERS:
        with geotiff_writer(path, info, metadata) as write_tiff_rows:
            yield write_tiff_rows
        return
    parts: list[npt.NDArray[Any]] = []
    masks: list[Mask] = []

    def write_rows(values: npt.NDArray[Any], valid: Mask) -> None:
        parts.append(values)
        masks.append(valid)

    yield write_rows
    values, valid = np.concatenate(parts), np.concatenate(masks)
    if not valid.all() and path.suffix.lower() in _WITH_ALPHA:
        alpha = np.where(valid, 255, 0).astype(np.uint8)
        values = np.concatenate([values, alpha[..., None]], axis=-1)
    if values.shape[-1] == 1:
        values = values.squeeze(-1)
    durable.write_bytes(path, encode_image(values, path.suffix))
