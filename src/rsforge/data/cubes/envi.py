"""ENVI cubes: a text header beside a file of raw values."""

from __future__ import annotations

import errno
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS

from rsforge.data.cube_headers.meaning import BandMeanings, read_meanings
from rsforge.data.cube_headers.numbers import write_points
from rsforge.data.cube_headers.wavelengths import MAX_TEXT
from rsforge.data.cubes.cube import MAX_PACKED, Cube, WindowData, require_shape, require_stored
from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
OTHER_SUFFIXES = (".tif", ".tiff")
DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".envi")
# Which of (lines, samples, bands) the axes of the file are, the slowest first.
AXES = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}

# Fields that say nothing of the values, of the format and of programs that write it.
BENIGN = (
    "samples", "lines", "bands", "header offset", "file type", "data type", "interleave", "byte order", "description",
    "map info", "coordinate system string", "projection info", "pixel size", "sensor type", "default bands",
    "default stretch", "x start", "y start", "acquisition time", "acquisition date", "cloud cover", "geo points",
    "rpc info", "class names", "classes", "class lookup", "major frame offsets", "minor frame offsets", "z plot range",
    "z plot average", "z plot titles", "plot range", "sun azimuth", "sun elevation", "security tag", "solar irradiance",
    "spectra names", "dem file", "dem band", "complex function", "product type", "read procedures", "timestamp",
    "bands names", "band number", "correction factors", "smoothing factors", "raw wavelengths", "raw fwhm",
)  # fmt: skip

_FIELD = re.compile(r"^[ \t]*([^=\n;{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)


def find_header(path: Path) -> Path | None:
    """The header of an ENVI file: ``path`` itself, or the one beside it; None when there is none."""
    if path.suffix.lower() == ".hdr":
        return path
    beside = [path.with_name(path.name + end) for end in (".hdr", ".HDR")]
    beside += [path.with_suffix(end) for end in (".hdr", ".HDR")] if path.suffix else []
    return next((p for p in beside if p.is_file()), None)


def find_data_file(header: Path) -> Path | None:
    """The file of values that belongs to a header, found by its name; paths in the header are not followed.

    A file whose name says another format is none of values alone.
    """
    stem = header.with_suffix("")
    suffixes = DATA_SUFFIXES[1:] if stem.suffix.lower() in OTHER_SUFFIXES else DATA_SUFFIXES
    for suffix in suffixes:
        for path in (stem.with_name(stem.name + suffix), stem.with_name(stem.name + suffix.upper())):
            if path.is_file():
                return path
    return None


def find_data(header: Path) -> Path:
    """The file of values that belongs to a header; ``UnreadableError`` where there is none."""
    if (found := find_data_file(header)) is not None:
        return found
    stem = header.with_suffix("")
    raise UnreadableError(f"no file of numbers lies beside {header.name} (such as {stem.name} or {stem.name}.img)")


def read_header(path: Path) -> dict[str, str]:
    """The header's fields by name in lower case; lists keep their commas, without braces."""
    if path.stat().st_size > MAX_TEXT:
        raise UnreadableError(f"its header has more than {MAX_TEXT >> 20} MiB")
    text = path.read_bytes().decode(errors="replace")
    if not text.lstrip("\ufeff").startswith("ENVI"):
        raise UnreadableError("it is not an ENVI header: its first word is not ENVI")
    fields = {m[1].strip().lower(): m[2].strip().strip("{}").strip() for m in _FIELD.finditer(text)}
    # The fields of the format itself are known by their names with blanks.
    return {key.replace("_", " ") if key.replace("_", " ") in BENIGN else key: value for key, value in fields.items()}


def open_envi(path: Path, own_wavelengths: bool = True) -> Cube:
    """The cube whose header or file of values is ``path``; ``UnreadableError`` when it cannot be used.

    Without ``own_wavelengths`` those of the header are ignored.
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

    meanings = read_envi_meanings(fields, bands, own_wavelengths=own_wavelengths)
    return Cube(
        path=data,
        height=lines,
        width=samples,
        bands=bands,
        dtype=str(dtype),
        fetch=fetch,
        meanings=meanings,
        notes=meanings.notes,
        grid=read_map_info(fields.get("map info", ""), fields.get("coordinate system string", "")),
    )


def read_envi_meanings(fields: dict[str, str], bands: int, *, own_wavelengths: bool) -> BandMeanings:
    """What the fields of a header say of its bands; errors are those of :func:`read_meanings`."""
    # The attribute of netCDF with this name is a factor whatever its size; here large ones divide.
    said = {"scale factor" if name == "scale_factor" else name: text for name, text in fields.items()}
    names = [name.strip() for name in fields.get("band names", "").split(",")]
    return read_meanings(said, bands, own_wavelengths=own_wavelengths, names=names, benign=BENIGN)


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


def read_map_info(text: str, crs: str) -> Grid | None:
    """The grid of ``map info``: coordinates of a reference pixel (counted from 1), pixel size, rotation; its coordinate
    system is ``crs`` (WKT), else that of the text. None where it is none."""
    if re.search(r"\d,\d", text) and re.search(r"[,;]\s", text):  # blanks separate: commas between digits are decimals
        text = re.sub(r"[,;]\s+", ";", write_points(text))
    words = [word.strip() for word in re.split(";" if ";" in text else ",", text)]
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
        crs or _utm_wkt(words),
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
