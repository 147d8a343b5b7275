"""What the names of products say of their values, where the files themselves say nothing."""

from __future__ import annotations

import math
import re
from pathlib import Path, PurePath

from rsforge.data.bands.landsat_metadata import find_metadata, read_fields
from rsforge.data.bands.meaning import OLI, TM

COLLECTION2 = (0.0000275, -0.2)
"""Scale and offset of the reflectance in Landsat Collection 2 Level-2 products (USGS); 0 is no data there."""

_PRODUCT = re.compile(r"L[CEOT]0\d_L2S[PR]_\d{6}_\d{8}_\d{8}_02_", re.IGNORECASE)
_LANDSAT = re.compile(r"L(?P<sensor>[CEOT]0\d)_L\d\w{2}_\d{6}_.*_B(?P<band>\d{1,2})(?:_\d+m)?", re.IGNORECASE)
_SENSORS = {"C08": OLI, "O08": OLI, "C09": OLI, "O09": OLI, "E07": TM, "T04": TM, "T05": TM}
_MSI_BAND = re.compile(r"T\d{2}[A-Z]{3}_\d{8}T\d{6}_B\d[\dA](_\d0m)?\.jp2", re.IGNORECASE)
_MSI_PRODUCT = re.compile(r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N(\d{2})\d{2}_.*", re.IGNORECASE)
_LEVEL1 = re.compile(r"(?P<product>L[CEOT]0\d_L1\w{2}_\d{6}_\d{8}_\d{8}_\d\d_[A-Z][A-Z\d])(?![A-Z\d])", re.IGNORECASE)
_BAND_FILE = re.compile(r"_B(?P<band>\d{1,2})\.tiff?", re.IGNORECASE)
_THERMAL = {"07": ("6",), "04": ("6",), "05": ("6",), "08": ("10", "11"), "09": ("10", "11")}
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


def find_level1_metadata(file: str) -> Path | None:
    """Where the metadata belong of the product of Landsat Level 1 that a file is named by; None for other names."""
    path = Path(file)
    found = _LEVEL1.match(path.name)
    return find_metadata(path.parent, found["product"]) if found else None


def find_level1_scale(file: str) -> tuple[float, float] | None:
    """Factor and summand that make top-of-atmosphere reflectance of a band of Landsat Level 1; None where not known.

    They are those of its metadata, if these lie beside it, and leave the elevation of the sun as it is (USGS, Landsat 8
    Data Users Handbook, section 5.2). Thermal bands have none.
    """
    scale = _look_up_level1(file)
    return scale if isinstance(scale, tuple) else None


def explain_level1(file: str) -> str:
    """Why nothing scales the numbers of a band of reflected light of Landsat Level 1, in words that name its metadata.

    Empty where something does, and for other files.
    """
    scale = _look_up_level1(file)
    return scale if isinstance(scale, str) else ""


def _look_up_level1(file: str) -> tuple[float, float] | str | None:
    """Factor and summand of a band, or why there are none; None for what is no band of reflected light."""
    metadata, name = find_level1_metadata(file), PurePath(file).name
    found = _LEVEL1.match(name)
    band = _BAND_FILE.fullmatch(name, found.end()) if found else None
    if metadata is None or found is None or band is None:
        return None
    product, number = found["product"], band["band"]
    if number in _THERMAL.get(product[2:4], ()):
        return None
    try:
        said = read_fields(metadata)
    except OSError:
        return f"{metadata.name} is not beside them"
    except ValueError:
        said = {}
    if said.get("LANDSAT_PRODUCT_ID", product).upper() != product.upper():
        return f"{metadata.name} is that of another product, {said['LANDSAT_PRODUCT_ID']}"
    try:
        factor, summand = (float(said[f"REFLECTANCE_{what}_BAND_{number}"]) for what in ("MULT", "ADD"))
    except (KeyError, ValueError):
        factor = summand = math.nan
    if not (0 < factor < math.inf and math.isfinite(summand)):
        return f"{metadata.name} gives no scale of band {number}"
    return factor, summand


def find_scale(file: str, description: str | None, dtype: str) -> tuple[float, float] | None:
    """Scale and offset of a band that declares none, by the name of its file; None where it says nothing.

    Of the bands of Landsat Collection 2 Level 2 those of surface reflectance have one scale, temperatures have another;
    those of Level 1 have what the metadata of their product say.
    """
    if dtype == "uint16" and (known := find_level1_scale(file)):
        return known
    surface = is_surface_band(PurePath(file).stem) or is_surface_band(description)
    return COLLECTION2 if dtype == "uint16" and surface and is_collection2(PurePath(file).name) else None
