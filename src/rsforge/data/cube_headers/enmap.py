"""The metadata of EnMAP products: wavelengths, widths and scales of the bands, in an XML file beside the image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from rsforge.data.io.image_reader import UnreadableError

_IMAGE = re.compile(r"(ENMAP.*-)SPECTRAL_IMAGE(_VNIR|_SWIR)?\.tiff?", re.IGNORECASE)
_LEVEL = re.compile(r"(?<![A-Z])L(1B|1C|2A)-", re.IGNORECASE)
_SCALE_OF_REFLECTANCE = 10000  # of level 2A, by the specification of the products
_FIELDS = {"wavelength (nm)": "wavelengthCenterOfBand", "fwhm (nm)": "FWHMOfBand"}
_RADIANCE = {"gain": "GainOfBand", "offset": "OffsetOfBand"}
MAX_XML = 64 << 20


def read_enmap_metadata(image: Path, bands: int) -> tuple[dict[str, Any], str] | None:
    """What the metadata of an EnMAP product say of the ``bands`` of its image, and their file's name; None without.

    Reflectance of level 2A is stored times 10000, radiance of the others by a gain and an offset of each band; images
    of one detector have the first or the last bands. ``UnreadableError`` for metadata that do not fit.
    """
    found = _IMAGE.fullmatch(image.name)
    names = [] if found is None else [f"{found[1]}METADATA{end}" for end in (".XML", ".xml")]
    beside = next((image.with_name(name) for name in names if image.with_name(name).is_file()), None)
    if found is None or beside is None:
        return None
    rows = _read_rows(beside)
    if len(rows) != bands and found[2] and len(rows) > bands:
        rows = rows[:bands] if found[2].upper() == "_VNIR" else rows[-bands:]
    if len(rows) != bands:
        raise UnreadableError(f"{beside.name} describes {len(rows)} bands, and there are {bands}")
    level = _LEVEL.search(image.name)
    reflectance = level is not None and level[1].upper() == "2A"
    fields = _FIELDS if reflectance else _FIELDS | _RADIANCE
    said: dict[str, Any] = {
        key: [row[name] for row in rows] for key, name in fields.items() if all(name in row for row in rows)
    }
    return said | ({"reflectance scale factor": _SCALE_OF_REFLECTANCE} if reflectance else {}), beside.name


def _read_rows(path: Path) -> list[dict[str, str]]:
    if path.stat().st_size > MAX_XML:
        raise UnreadableError(f"{path.name} has more than {MAX_XML >> 20} MiB")
    data = path.read_bytes()
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise UnreadableError(f"{path.name} declares entities, which are not resolved")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise UnreadableError(f"{path.name} is no intact XML file ({error})") from None
    bands = root.iterfind(".//bandCharacterisation/bandID")
    return [{child.tag: (child.text or "").strip() for child in band} for band in bands]
