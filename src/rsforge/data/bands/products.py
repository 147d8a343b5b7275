"""What the names of products say of their values, where the files themselves say nothing."""

from __future__ import annotations

import re
from pathlib import PurePath

from rsforge.data.bands.meaning import OLI, TM

COLLECTION2 = (0.0000275, -0.2)
"""Scale and offset of the reflectance in Landsat Collection 2 Level-2 products (USGS); 0 is no data there."""

_PRODUCT = re.compile(r"L[CEOT]0\d_L2S[PR]_\d{6}_\d{8}_\d{8}_02_", re.IGNORECASE)
_LANDSAT = re.compile(r"L(?P<sensor>[CEOT]0\d)_L\d\w{2}_\d{6}_.*_B(?P<band>\d{1,2})(?:_\d+m)?", re.IGNORECASE)
_SENSORS = {"C08": OLI, "O08": OLI, "C09": OLI, "O09": OLI, "E07": TM, "T04": TM, "T05": TM}
_MSI_BAND = re.compile(r"T\d{2}[A-Z]{3}_\d{8}T\d{6}_B\d[\dA](_\d0m)?\.jp2", re.IGNORECASE)
_MSI_PRODUCT = re.compile(r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d{2})\d{2}_.*", re.IGNORECASE)
_SURFACE = re.compile(r"(.*_)?SR_B\d", re.IGNORECASE)


def is_collection2(name: str) -> bool:
    """Whether a file is named as a Landsat Collection 2 Level-2 product."""
    return _PRODUCT.match(name) is not None


def is_surface_band(name: str | None) -> bool:
    """Whether a description, or the name of a file without its suffix, is that of a band of surface reflectance."""
    return _SURFACE.fullmatch(name or "") is not None


def find_central_wavelength(file: str) -> float | None:
    """The central wavelength in nm of the one band that a file of a Landsat product holds, by its name."""
    found = _LANDSAT.fullmatch(PurePath(file).stem)
    wavelength_nm = _SENSORS.get(found["sensor"].upper(), {}).get(found["band"]) if found else None
    return None if wavelength_nm is None else float(wavelength_nm)


def find_baseline(file: str) -> int | None:
    """The first number of the processing baseline of the product of Sentinel-2 in whose folders one of its bands lies.

    None for other files: what others made of such products may have other numbers.
    """
    path = PurePath(file)
    if not _MSI_BAND.fullmatch(path.name):
        return None
    found = (_MSI_PRODUCT.fullmatch(part) for part in reversed(path.parts[:-1]))
    return next((int(product[1]) for product in found if product), None)


def find_scale(file: str, description: str | None, dtype: str) -> tuple[float, float] | None:
    """Scale and offset of a band that declares none, by the name of its file; None where it says nothing.

    Of the bands of Landsat products those of surface reflectance have this scale; temperatures have another.
    """
    surface = is_surface_band(PurePath(file).stem) or is_surface_band(description)
    return COLLECTION2 if dtype == "uint16" and surface and is_collection2(PurePath(file).name) else None
