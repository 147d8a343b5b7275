"""Cubes in GeoTIFF files, with wavelengths in the tags or descriptions of the bands."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import Cube, WindowData, require_shape, require_stored
from rsforge.data.cubes.wavelengths import are_valid_widths, parse_names, require_valid, to_nanometres
from rsforge.data.io import geotiff
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]
Tags = list[dict[str, str]]


def open_geotiff(path: Path, wavelength_nm: F64 | None = None) -> Cube:
    """The cube in a GeoTIFF, values as stored; ``UnreadableError`` when it cannot be used.

    With ``wavelength_nm`` the wavelengths of the tags are ignored.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(geotiff.open_with_gdal(path))
        info, metadata = raster.info, raster.metadata
        height, width, bands = require_shape((info.height, info.width, info.bands))
        if metadata is None or len(metadata.band_tags) != bands or np.dtype(info.dtype).kind not in "iuf":
            raise UnreadableError("its bands are colours of a palette, not a spectrum")
        require_stored(height * width * bands * np.dtype(info.dtype).itemsize, path.stat().st_size)

        def fetch(window: Window) -> WindowData:
            stored = raster.read(window)
            # A mask in the file is one for all bands; values that are not finite are masked band by band later.
            if info.nodata is not None:
                return stored.values, None
            return stored.values, stored.valid | ~np.isfinite(stored.values).all(axis=-1)

        tags = [{key.lower(): value.strip() for key, value in row.items()} for row in metadata.band_tags]
        names = [name or "" for name in metadata.descriptions]
        wavelength, note = _read_wavelengths(tags, names) if wavelength_nm is None else (None, "")
        return Cube(
            path=path,
            height=height,
            width=width,
            bands=bands,
            dtype=info.dtype,
            fetch=fetch,
            wavelength_nm=wavelength,
            fwhm_nm=None if wavelength is None else _read_widths(tags, wavelength),
            good_bands=np.array([tag.get("bbl", "1") not in ("0", "0.0") for tag in tags]),
            nodata=info.nodata,
            unit=metadata.units[0] or "",
            grid=info.grid,
            notes=(note,) if note else (),
            close=stack.pop_all().close,
        )


def _read_numbers(tags: Tags, key: str) -> F64 | None:
    """One number a band; None when a band has none."""
    try:
        return np.array([float(tag[key]) for tag in tags])
    except (KeyError, ValueError):
        return None


def _read_wavelengths(tags: Tags, names: list[str]) -> tuple[F64 | None, str]:
    """Wavelengths in nm, and a sentence on what was inferred."""
    values = _read_numbers(tags, "wavelength")
    if values is not None:
        return to_nanometres(
            require_valid(values), tags[0].get("wavelength_units") or tags[0].get("wavelength_unit") or ""
        )
    named = parse_names(names)
    return named, "" if named is None else "wavelengths come from the descriptions of the bands"


def _read_widths(tags: Tags, wavelength_nm: F64) -> F64 | None:
    """Full widths at half maximum in nm; the tags give them in the unit of the wavelengths."""
    widths, own = _read_numbers(tags, "fwhm"), _read_numbers(tags, "wavelength")
    if widths is None or not are_valid_widths(widths, len(tags)):
        return None
    return widths if own is None else widths * (wavelength_nm[0] / own[0])
