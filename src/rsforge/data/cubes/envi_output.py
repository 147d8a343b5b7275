"""ENVI cubes written window by window: band-sequential raw values, and a text header beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from rsforge import durable
from rsforge.data.cubes.cube import F32, F64
from rsforge.data.cubes.cube_output import NODATA, CubeHeader, WriteWindow, fill_gaps
from rsforge.data.io.georeference import Grid
from rsforge.data.io.windows import Window

SUFFIXES = (".img", ".bsq")
PIXEL = 4  # bytes


@contextmanager
def envi_writer(path: Path, header: CubeHeader) -> Iterator[WriteWindow]:
    """Write ``path`` and the header beside it, ``.hdr`` for its suffix; as ``geotiff_cube_writer``.

    Space is reserved before the first window, so that a full disk is known then. The header is written last: a file of
    values without one is no cube.
    """
    beside = path.with_suffix(".hdr")
    text = format_header(header, path.name)
    with durable.atomic_path(path) as temporary:
        temporary.touch()
        durable.reserve(temporary, header.height * header.width * header.bands * PIXEL)
        descriptor = os.open(temporary, os.O_WRONLY)
        try:
            os.truncate(descriptor, header.height * header.width * header.bands * PIXEL)
            yield lambda window, values: _put(descriptor, header, window, fill_gaps(values))
        finally:
            os.close(descriptor)
        beside.unlink(missing_ok=True)  # that of a cube that is replaced
    durable.write_text(beside, text)


def _put(descriptor: int, header: CubeHeader, window: Window, values: F32) -> None:
    durable.before_operation("write")
    little = values.astype("<f4", copy=False)
    for band, image in enumerate(little):
        for row, line in enumerate(image, window.row):
            at = ((band * header.height + row) * header.width + window.col) * PIXEL
            data = memoryview(line.tobytes())
            while data:
                done = os.pwrite(descriptor, data, at)
                data, at = data[done:], at + done


def format_header(header: CubeHeader, name: str) -> str:
    """The text of the header of the cube ``name``."""
    fields = {
        "description": _list([f"{name}, {header.tags.get('TIFFTAG_SOFTWARE', 'rsforge')}"]),
        "samples": header.width,
        "lines": header.height,
        "bands": header.bands,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        "data ignore value": f"{NODATA:g}",
        **({"data units": header.unit} if header.unit else {}),
        **(_place(header.grid) if header.grid else {}),
        # Without wavelengths, which GDAL adds to them.
        "band names": _list([f"band {k}" for k in range(1, header.bands + 1)]),
        **_axis(header.wavelength_nm, header.fwhm_nm),
        **{f"rsforge {key.lower()}": _list([value]) for key, value in header.tags.items()},
    }
    return "ENVI\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())


def _axis(wavelength_nm: F64 | None, fwhm_nm: F64 | None) -> dict[str, str]:
    if wavelength_nm is None:
        return {}
    fields = {"wavelength units": "Nanometers", "wavelength": _list([f"{nm:.10g}" for nm in wavelength_nm])}
    return fields | ({} if fwhm_nm is None else {"fwhm": _list([f"{nm:.10g}" for nm in fwhm_nm])})


def _place(grid: Grid) -> dict[str, str]:
    """``map info`` of the upper left corner, and the coordinate system; nothing for a sheared or mirrored grid."""
    a, b, c, d, e, f = grid.transform
    high, wide = np.hypot(b, e), np.hypot(a, d)
    if not np.isclose(a * b + d * e, 0, atol=1e-9 * high * wide) or a * e - b * d >= 0:
        return {}
    turned = np.degrees(np.arctan2(d, a)) + 0.0
    words = [*_projection(grid.crs), "1", "1", repr(float(c)), repr(float(f)), repr(float(wide)), repr(float(high))]
    zone = _utm_zone(grid.crs)
    words += [*zone, "WGS-84", "units=Meters"] if zone else []
    words += [f"rotation={turned:.10g}"] if abs(turned) > 1e-9 else []
    place = {"map info": _list(words)}
    return place | ({"coordinate system string": _list([_esri_wkt(grid.crs)])} if grid.crs else {})


def _projection(crs: str) -> list[str]:
    if _utm_zone(crs):
        return ["UTM"]
    return ["Geographic Lat/Lon" if crs and CRS.from_wkt(crs).is_geographic else "Arbitrary"]


def _utm_zone(crs: str) -> list[str]:
    """Zone and hemisphere of a UTM system on WGS 84 in metres (EPSG 32601-32660, 32701-32760), else nothing."""
    code = CRS.from_wkt(crs).to_epsg() if crs else None
    if code is None or not (32601 <= code <= 32660 or 32701 <= code <= 32760):
        return []
    return [str(code % 100), "North" if code < 32700 else "South"]


def _esri_wkt(crs: str) -> str:
    text: str = CRS.from_wkt(crs).to_wkt(version="WKT1_ESRI")
    return text


def _list(words: list[str]) -> str:
    # Braces and line ends would end the field.
    return "{" + ", ".join(word.translate(str.maketrans("{}\n\r", "()  ")) for word in words) + "}"
