"""Small GeoTIFF files for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsforge.data.io.native_output import silence_libraries
from rsforge.data.io.rasters import UnreadableError, read_raster

UTM = "EPSG:32632"


NORTH_UP = Affine(10, 0, 500000, 0, -10, 5500000)


def write(path: Path, values: np.ndarray, **profile) -> Path:
    """A TIFF of (H, W, C), georeferenced unless ``profile`` says otherwise."""
    height, width, bands = values.shape
    place = {"crs": UTM, "transform": NORTH_UP}
    options = {"driver": "GTiff", "dtype": values.dtype, "count": bands, "height": height, "width": width}
    with silence_libraries(), rasterio.open(path, "w", **options | place | profile) as target:
        target.write(np.moveaxis(values, -1, 0))
    return path


def ramp(height: int, width: int, bands: int, dtype: str) -> np.ndarray:
    return np.arange(height * width * bands).reshape(height, width, bands).astype(dtype)


def unreadable_reason(path: Path) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_raster(path)
    return str(caught.value)


def lay_mask(path, inside):
    """A mask beside a picture, in the form of GDAL's."""
    mask = write(path.with_name(f"{path.name}.msk"), inside[..., None].astype(np.uint8) * 255, crs=None, transform=None)
    with silence_libraries(), rasterio.open(mask, "r+") as target:
        target.update_tags(INTERNAL_MASK_FLAGS_1="2")
