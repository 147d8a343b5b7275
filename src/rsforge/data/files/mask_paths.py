"""The files of masks that GDAL writes beside rasters."""

from __future__ import annotations

from pathlib import Path


def find_mask(path: Path) -> Path | None:
    """The file that says where a raster holds data, NAME.tif.msk beside NAME.tif; None where there is none."""
    beside = path.with_name(f"{path.name}.msk")
    return beside if beside.is_file() else None
