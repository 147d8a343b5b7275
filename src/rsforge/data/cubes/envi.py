"""ENVI cubes: a text header beside raw numbers."""

from __future__ import annotations

import errno
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS

from rsforge.data.cubes.cube import MAX_PACKED, Cube, Fetched, checked_shape, require_held
from rsforge.data.cubes.wavelengths import MAX_TEXT, credible, from_names, in_nm, sound
from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi")
# Which of (lines, samples, bands) the axes of the file are, the slowest first.
AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}

_FIELD = re.compile(r"^[ \t]*([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)


def header_of(path: Path) -> Path | None:
    """The header of an ENVI file: itself, or the one beside it; None when there is none."""
    if path.suffix.lower() == ".hdr":
        return path
    beside = [path.with_name(path.name + end) for end in (".hdr", ".HDR")]
    beside += [path.with_suffix(end) for end in (".hdr", ".HDR")] if path.suffix else []
    return next((p for p in beside if p.is_file()), None)


def data_of(header: Path) -> Path:
    """The numbers that belong to a header, by its name alone: what a header says of paths is not followed."""
    stem = header.with_suffix("")
    for suffix in DATA_SUFFIXES:
        for path in (stem.with_name(stem.name + suffix), stem.with_name(stem.name + suffix.upper())):
            if path.is_file():
                return path
    raise UnreadableError(f"no file of numbers lies beside {header.name} (such as {stem.name} or {stem.name}.img)")


def read_header(path: Path) -> dict[str, str]:
    """The header's fields by name in lower case; lists keep their commas, without braces."""
    if path.stat().st_size > MAX_TEXT:
        raise UnreadableError(f"its header has more than {MAX_TEXT >> 20} MiB")
    text = path.read_bytes().decode(errors="replace")
    if not text.lstrip("\ufeff").startswith("ENVI"):
        raise UnreadableError("it is not an ENVI header: its first word is not ENVI")
    return {m[1].strip().lower(): m[2].strip().strip("{}").strip() for m in _FIELD.finditer(text)}


def open_envi(path: Path, wavelength_nm: F64 | None = None) -> Cube:
    """The cube whose header or file of numbers is ``path``; what is no sound one raises ``UnreadableError``.

    Where ``wavelength_nm`` is given, what the header says of wavelengths is not looked at.
    """
    header = header_of(path)
    if header is None:
        raise UnreadableError(f"no header lies beside it ({path.name}.hdr)")
    data = data_of(header) if path == header else path
    fields = read_header(header)
    lines, samples, bands = checked_shape(tuple(_whole(fields, key) for key in ("lines", "samples", "bands")))
    dtype, offset = _dtype(fields), _whole(fields, "header offset", 0)
    order = fields.get("interleave", "bsq").lower()
    if order not in AXES:
        raise UnreadableError(f"its interleave is {order!r}, not bsq, bil or bip")
    need, size = offset + lines * samples * bands * dtype.itemsize, data.stat().st_size
    if size < need:
        raise UnreadableError(f"the file has {size:,} bytes, its header declares {need:,}")
    require_held(need, _held(data, need // MAX_PACKED + 1))
    extent = (lines, samples, bands)
    shape = tuple(extent[axis] for axis in AXES[order])

    def fetch(window: Window) -> Fetched:
        row, col, height, width = window
        cut = (slice(row, row + height), slice(col, col + width), slice(None))
        # Mapped anew each time: pages of windows that are done with do not stay.
        stored = np.memmap(data, dtype, "r", offset, shape).transpose(np.argsort(AXES[order]))
        return np.array(stored[cut]), None

    wavelength, fwhm, note = _spectrum(fields, bands) if wavelength_nm is None else (None, None, "")
    good = _list(fields, "bbl")
    return Cube(
        path=data, height=lines, width=samples, bands=bands, dtype=str(dtype), fetch=fetch,
        wavelength_nm=wavelength, fwhm_nm=fwhm, notes=(note,) if note else (),
        good_bands=good != 0 if good is not None and len(good) == bands else np.ones(bands, bool),
        nodata=_number(fields, "data ignore value"), scale=_number(fields, "reflectance scale factor") or 1.0,
        gain=_per_band(fields, "data gain values", bands), offset=_per_band(fields, "data offset values", bands),
        unit=fields.get("data units", ""), grid=_grid(fields),
    )  # fmt: skip


def _held(path: Path, enough: int) -> int:
    """Bytes of a file that are stored, counted until they are ``enough``: holes are not."""
    size, at, count = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while at < size and count < enough:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                # Beyond the last byte that is stored; a file system that knows no holes has none.
                return count if error.errno == errno.ENXIO else size
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            count += at - start
    return count


def _whole(fields: dict[str, str], key: str, default: int | None = None) -> int:
    text = fields.get(key, "" if default is None else str(default))
    if not re.fullmatch(r"\d{1,15}", text):
        raise UnreadableError(f"its header says {key} = {text!r}, no whole number")
    return int(text)


def _dtype(fields: dict[str, str]) -> np.dtype[Any]:
    code = _whole(fields, "data type")
    if code in (6, 9):
        raise UnreadableError("its values are complex")
    if code not in TYPES:
        raise UnreadableError(f"its data type is {code}, not one of {', '.join(map(str, TYPES))}")
    return np.dtype(TYPES[code]).newbyteorder(">" if _whole(fields, "byte order", 0) == 1 else "<")


def _number(fields: dict[str, str], key: str) -> float | None:
    values = _list(fields, key)
    if key in fields and (values is None or len(values) != 1):
        raise UnreadableError(f"its header says {key} = {fields[key]!r}, no number")
    return None if values is None else float(values[0])


def _list(fields: dict[str, str], key: str) -> F64 | None:
    words = [word for word in re.split(r"[\s,]+", fields.get(key, "")) if word]
    try:
        return np.array([float(word) for word in words]) if words else None
    except ValueError:
        return None


def _per_band(fields: dict[str, str], key: str, bands: int) -> F64 | None:
    values = _list(fields, key)
    if key in fields and (values is None or len(values) != bands or not np.isfinite(values).all()):
        raise UnreadableError(f"its header says {key} = {fields[key][:40]!r}, not {bands} numbers")
    return values


def _spectrum(fields: dict[str, str], bands: int) -> tuple[F64 | None, F64 | None, str]:
    """Wavelengths and widths in nm, from their fields or else from band names, and what was inferred."""
    values, widths = _list(fields, "wavelength"), _list(fields, "fwhm")
    if values is None or len(values) != bands:
        named = from_names([name.strip() for name in fields.get("band names", "").split(",")])
        found = named is not None and len(named) == bands
        return (named, None, "wavelengths are taken from the names of the bands") if found else (None, None, "")
    wavelength_nm, note = in_nm(sound(values), fields.get("wavelength units", ""))
    to_nm = wavelength_nm[0] / values[0]
    return wavelength_nm, widths * to_nm if widths is not None and credible(widths, bands) else None, note


def _grid(fields: dict[str, str]) -> Grid | None:
    """The grid of ``map info``: the place of a reference pixel (counted from 1, at its upper left), sizes, rotation."""
    words = [word.strip() for word in fields.get("map info", "").split(",")]
    try:
        x, y, east, north, wide, high = map(float, words[1:7])
        turned = next((float(w.split("=")[1]) for w in words if w.lower().startswith("rotation")), 0.0)
    except (ValueError, IndexError):
        return None
    cos, sin = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    # As GDAL reads it: counterclockwise degrees.
    a, b, d, e = wide * cos, wide * sin, high * sin, -high * cos
    return Grid(
        fields.get("coordinate system string") or _utm(words),
        (a, b, east - a * (x - 1) - b * (y - 1), d, e, north - d * (x - 1) - e * (y - 1)),
    )


def _utm(words: list[str]) -> str:
    """The WKT of ``map info`` in metres of a UTM zone on WGS-84 (EPSG 32601 to 32660, 32701 to 32760), else nothing."""
    said = [word.lower().replace("-", "") for word in words]
    unit = next((word.split("=")[1].strip() for word in said if word.startswith("units")), "meters")
    zone = int(said[7]) if len(said) > 9 and re.fullmatch(r"\d{1,2}", said[7]) else 0
    if said[0] != "utm" or not 1 <= zone <= 60 or said[8] not in ("north", "south") or said[9] != "wgs84":
        return ""
    known = unit.startswith(("meter", "metre"))
    return CRS.from_epsg((32600 if said[8] == "north" else 32700) + zone).to_wkt() if known else ""
