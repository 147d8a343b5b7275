"""Cubes in GeoTIFF, with wavelengths in the tags or descriptions of their bands."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rsforge.data.cubes.cube import Cube, Fetched, checked_shape, require_held
from rsforge.data.cubes.wavelengths import credible, from_names, in_nm, sound
from rsforge.data.io import geotiff
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]
Tags = list[dict[str, str]]


def open_geotiff(path: Path, wavelength_nm: F64 | None = None) -> Cube:
    """The cube in a GeoTIFF, values as stored; what is no sound one raises ``UnreadableError``.

    Where ``wavelength_nm`` is given, what the tags say of wavelengths is not looked at.
    """
    with ExitStack() as stack:
        raster = stack.enter_context(geotiff.opened(path))
        info, notes = raster.info, raster.notes
        height, width, bands = checked_shape((info.height, info.width, info.bands))
        if notes is None or len(notes.band_tags) != bands or np.dtype(info.dtype).kind not in "iuf":
            raise UnreadableError("its bands are colours of a palette, not a spectrum")
        require_held(height * width * bands * np.dtype(info.dtype).itemsize, path.stat().st_size)

        def fetch(window: Window) -> Fetched:
            read = raster.read(window)
            # A mask in the file speaks for whole pixels; bands that are not finite are judged one by one later.
            masked = None if info.nodata is not None else read.valid | ~np.isfinite(read.values).all(axis=-1)
            return read.values, masked

        tags = [{key.lower(): value.strip() for key, value in row.items()} for row in notes.band_tags]
        names = [name or "" for name in notes.descriptions]
        wavelength, note = _wavelengths(tags, names) if wavelength_nm is None else (None, "")
        return Cube(
            path=path, height=height, width=width, bands=bands, dtype=info.dtype, fetch=fetch,
            wavelength_nm=wavelength, fwhm_nm=None if wavelength is None else _widths(tags, wavelength),
            good_bands=np.array([tag.get("bbl", "1") not in ("0", "0.0") for tag in tags]),
            nodata=info.nodata, unit=(notes.units[0] or ""), grid=info.grid, notes=(note,) if note else (),
            close=stack.pop_all().close,
        )  # fmt: skip


def _numbers(tags: Tags, key: str) -> F64 | None:
    """One number a band; None when a band has none."""
    try:
        return np.array([float(tag[key]) for tag in tags])
    except (KeyError, ValueError):
        return None


def _wavelengths(tags: Tags, names: list[str]) -> tuple[F64 | None, str]:
    """Wavelengths in nm and what was inferred."""
    values = _numbers(tags, "wavelength")
    if values is not None:
        return in_nm(sound(values), tags[0].get("wavelength_units") or tags[0].get("wavelength_unit") or "")
    named = from_names(names)
    return named, "" if named is None else "wavelengths are taken from the descriptions of the bands"


def _widths(tags: Tags, wavelength_nm: F64) -> F64 | None:
    """FWHM in nm, in whose unit the wavelengths stand."""
    widths, own = _numbers(tags, "fwhm"), _numbers(tags, "wavelength")
    if widths is None or not credible(widths, len(tags)):
        return None
    return widths if own is None else widths * (wavelength_nm[0] / own[0])
