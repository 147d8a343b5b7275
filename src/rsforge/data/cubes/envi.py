"""ENVI cubes: a text header beside a file of raw values."""

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

from rsforge.data.cubes.cube import MAX_PACKED, Cube, Mask, WindowData, require_shape, require_stored
from rsforge.data.cubes.wavelengths import MAX_TEXT, are_valid_widths, parse_names, require_valid, to_nanometres
from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

F64 = npt.NDArray[np.float64]

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi")
# Which of (lines, samples, bands) the axes of the file are, the slowest first.
AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}

_FIELD = re.compile(r"^[ \t]*([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)


def find_header(path: Path) -> Path | None:
    """The header of an ENVI file: ``path`` itself, or the one beside it; None when there is none."""
    if path.suffix.lower() == ".hdr":
        return path
    beside = [path.with_name(path.name + end) for end in (".hdr", ".HDR")]
    beside += [path.with_suffix(end) for end in (".hdr", ".HDR")] if path.suffix else []
    return next((p for p in beside if p.is_file()), None)


def find_data(header: Path) -> Path:
    """The file of values that belongs to a header, found by its name; paths in the header are not followed."""
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
    """The cube whose header or file of values is ``path``; ``UnreadableError`` when it cannot be used.

    With ``wavelength_nm`` the wavelengths of the header are ignored.
    """
    header = find_header(path)
    if header is None:
        raise UnreadableError(f"no header lies beside it ({path.name}.hdr)")
    data = find_data(header) if path == header else path
    fields = read_header(header)
    lines, samples, bands = require_shape(tuple(_read_integer(fields, key) for key in ("lines", "samples", "bands")))
    dtype = _read_dtype(fields)
    offset = _read_integer(fields, "header offset", 0)
    order = fields.get("interleave", "bsq").lower()
    if order not in AXES:
        raise UnreadableError(f"its interleave is {order!r}, not bsq, bil or bip")
    need = offset + lines * samples * bands * dtype.itemsize
    size = data.stat().st_size
    if size < need:
        raise UnreadableError(f"the file has {size:,} bytes, its header declares {need:,}")
    require_stored(need, _count_stored_bytes(data, need // MAX_PACKED + 1))
    extent = (lines, samples, bands)
    shape = tuple(extent[axis] for axis in AXES[order])

    def fetch(window: Window) -> WindowData:
        row, col, height, width = window
        cut = (slice(row, row + height), slice(col, col + width), slice(None))
        # Mapped anew for each window, so that pages of earlier windows are released.
        stored = np.memmap(data, dtype, "r", offset, shape).transpose(np.argsort(AXES[order]))
        return np.array(stored[cut]), None

    wavelength, fwhm, note = _read_spectrum(fields, bands) if wavelength_nm is None else (None, None, "")
    return Cube(
        path=data,
        height=lines,
        width=samples,
        bands=bands,
        dtype=str(dtype),
        fetch=fetch,
        wavelength_nm=wavelength,
        fwhm_nm=fwhm,
        notes=(note,) if note else (),
        good_bands=_read_good_bands(fields, bands),
        nodata=_read_number(fields, "data ignore value"),
        scale=_read_number(fields, "reflectance scale factor") or 1.0,
        gain=_read_per_band(fields, "data gain values", bands),
        offset=_read_per_band(fields, "data offset values", bands),
        unit=fields.get("data units", ""),
        grid=_read_grid(fields),
    )


def _read_good_bands(fields: dict[str, str], bands: int) -> Mask:
    """The bands that the header does not mark as bad: all where its list has another length."""
    marks = _read_list(fields, "bbl")
    if marks is None or len(marks) != bands:
        return np.ones(bands, bool)
    good: Mask = marks != 0
    return good


def _count_stored_bytes(path: Path, enough: int) -> int:
    """Bytes of a file that are stored on disk, without holes, counted until they are ``enough``."""
    size = path.stat().st_size
    at = count = 0
    with path.open("rb") as file:
        while at < size and count < enough:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                # ENXIO: no data follows; other errors: the file system has no holes, so that all bytes are stored.
                return count if error.errno == errno.ENXIO else size
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            count += at - start
    return count


def _read_integer(fields: dict[str, str], key: str, default: int | None = None) -> int:
    text = fields.get(key, "")
    if key not in fields and default is not None:
        return default
    if not re.fullmatch(r"\d{1,15}", text):
        raise UnreadableError(f"its header says {key} = {text!r}, no whole number")
    return int(text)


def _read_dtype(fields: dict[str, str]) -> np.dtype[Any]:
    code = _read_integer(fields, "data type")
    if code in (6, 9):
        raise UnreadableError("its values are complex")
    if code not in TYPES:
        raise UnreadableError(f"its data type is {code}, not one of {', '.join(map(str, TYPES))}")
    return np.dtype(TYPES[code]).newbyteorder(">" if _read_integer(fields, "byte order", 0) == 1 else "<")


def _read_number(fields: dict[str, str], key: str) -> float | None:
    values = _read_list(fields, key)
    if key in fields and (values is None or len(values) != 1):
        raise UnreadableError(f"its header says {key} = {fields[key]!r}, no number")
    return None if values is None else float(values[0])


def _read_list(fields: dict[str, str], key: str) -> F64 | None:
    words = [word for word in re.split(r"[\s,]+", fields.get(key, "")) if word]
    try:
        return np.array([float(word) for word in words]) if words else None
    except ValueError:
        return None


def _read_per_band(fields: dict[str, str], key: str, bands: int) -> F64 | None:
    values = _read_list(fields, key)
    if key in fields and (values is None or len(values) != bands or not np.isfinite(values).all()):
        raise UnreadableError(f"its header says {key} = {fields[key][:40]!r}, not {bands} numbers")
    return values


def _read_spectrum(fields: dict[str, str], bands: int) -> tuple[F64 | None, F64 | None, str]:
    """Wavelengths and widths in nm from their fields, else from band names; and a sentence on what was inferred."""
    values, widths = _read_list(fields, "wavelength"), _read_list(fields, "fwhm")
    if values is None or len(values) != bands:
        named = parse_names([name.strip() for name in fields.get("band names", "").split(",")])
        if named is None or len(named) != bands:
            return None, None, ""
        return named, None, "wavelengths come from the names of the bands"
    wavelength_nm, note = to_nanometres(require_valid(values), fields.get("wavelength units", ""))
    if widths is None or not are_valid_widths(widths, bands):
        return wavelength_nm, None, note
    return wavelength_nm, widths * (wavelength_nm[0] / values[0]), note


def _read_grid(fields: dict[str, str]) -> Grid | None:
    """The grid of ``map info``: coordinates of a reference pixel (counted from 1), pixel size, rotation."""
    words = [word.strip() for word in fields.get("map info", "").split(",")]
    try:
        x, y, east, north, wide, high = map(float, words[1:7])
        turned = next((float(w.split("=")[1]) for w in words if w.lower().startswith("rotation")), 0.0)
    except (ValueError, IndexError):
        return None
    cos, sin = math.cos(math.radians(turned)), math.sin(math.radians(turned))
    # GDAL's reading of the field: degrees, counterclockwise.
    a = wide * cos
    b = wide * sin
    d = high * sin
    e = -high * cos
    return Grid(
        fields.get("coordinate system string") or _utm_wkt(words),
        (a, b, east - a * (x - 1) - b * (y - 1), d, e, north - d * (x - 1) - e * (y - 1)),
    )


def _utm_wkt(words: list[str]) -> str:
    """The WKT for ``map info`` of a UTM zone on WGS-84 in metres (EPSG 32601-32660, 32701-32760), else empty."""
    said = [word.lower().replace("-", "") for word in words]
    unit = next((word.split("=")[1].strip() for word in said if word.startswith("units")), "meters")
    zone = int(said[7]) if len(said) > 9 and re.fullmatch(r"\d{1,2}", said[7]) else 0
    if said[0] != "utm" or not 1 <= zone <= 60 or said[8] not in ("north", "south") or said[9] != "wgs84":
        return ""
    if not unit.startswith(("meter", "metre")):
        return ""
    first_code = 32600 if said[8] == "north" else 32700
    return str(CRS.from_epsg(first_code + zone).to_wkt())
