"""The layout of PRISMA products: a cube for each of two detectors, and what the attributes of the file say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rsforge.data.cube_headers.meaning import BandMeanings
from rsforge.data.cube_headers.wavelengths import WavelengthError, are_valid_widths, require_valid
from rsforge.data.io.image_reader import UnreadableError

DETECTORS = ("Vnir", "Swir")
_WHOLE = 65535.0  # the stored value of the upper end of the range, of levels 2B to 2D


class Detector(NamedTuple):
    """The cube of a detector: its data set, the bands in use by rising wavelength, and what these mean."""

    path: str
    bands: npt.NDArray[np.int64]
    meanings: BandMeanings


def find_detectors(attributes: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> list[Detector]:
    """The detectors of a PRISMA product, from the attributes of its file and the shapes of its arrays; empty of others.

    Cubes are of rows, bands and columns. Bands without a wavelength are not in use. Values of level 2 reach from a
    least to a largest one that the attributes give, those of level 1 have a factor and an offset. ``UnreadableError``
    for lists that do not fit.
    """
    found = []
    for name in DETECTORS:
        path = next((path for path in shapes if path.endswith(f"/{name.upper()}_Cube")), None)
        stated = attributes.get(f"List_Cw_{name}")
        if path is not None and stated is not None and len(shapes[path]) == 3:
            found.append(_describe(name, path, shapes[path][1], np.asarray(stated, float).ravel(), attributes))
    return found


def _describe(
    name: str, path: str, count: int, stated: npt.NDArray[np.float64], attributes: Mapping[str, Any]
) -> Detector:
    flags = attributes.get(f"List_Cw_{name}_Flags")
    in_use = stated > 0
    if flags is not None and np.size(flags) == len(stated):
        in_use &= np.asarray(flags).ravel() != 0
    # Some products keep a layer for each band of the list, others one for each band in use.
    places = np.flatnonzero(in_use)
    if len(stated) != count:
        if len(places) != count:
            what = f"List_Cw_{name} has {len(places)} wavelengths in use, and {path} {count} bands"
            raise WavelengthError(what)
        layers = np.arange(count)
    else:
        layers = places
    wavelength = require_valid(stated[places])
    widths = np.asarray(attributes.get(f"List_Fwhm_{name}", ()), float).ravel()
    fwhm = widths[places] if len(widths) == len(stated) and are_valid_widths(widths[places], len(places)) else None
    scale, offset, unit = _read_scaling(name, attributes)
    meanings = BandMeanings(
        good=np.ones(len(places), bool),
        wavelength_nm=wavelength,
        fwhm_nm=fwhm,
        unit=unit,
        scale=np.full(len(places), scale),
        offset=np.full(len(places), offset),
    )
    rising = np.argsort(wavelength)
    return Detector(path, layers[rising], meanings.select(rising))


def _read_scaling(name: str, attributes: Mapping[str, Any]) -> tuple[float, float, str]:
    """The factor, the summand and the unit of the values of a detector."""
    low, high = (attributes.get(f"L2Scale{name}{end}") for end in ("Min", "Max"))
    if low is not None and high is not None:
        return (float(high) - float(low)) / _WHOLE, float(low), ""
    factor, offset = attributes.get(f"ScaleFactor_{name}"), attributes.get(f"Offset_{name}")
    if factor is None or offset is None or not float(factor) > 0:
        raise UnreadableError(f"its attributes give no range of the values of {name.upper()}_Cube (L2Scale{name}Min)")
    return 1 / float(factor), -float(offset), "W m-2 sr-1 um-1"


def choose_detectors(detectors: list[Detector], variable: str | None, table: int | None) -> list[Detector]:
    """Those whose cubes are meant: the one named ``variable``, else the one with as many bands as a ``table`` of
    wavelengths, else all. With a table bands are in the order of the file, as the table is. None if another is named.
    """
    if variable is not None:
        detectors = [one for one in detectors if one.path.strip("/") == variable.strip("/")]
    if table is None:
        return detectors
    fitting = [one for one in detectors if len(one.bands) == table]
    orders = [np.argsort(one.bands) for one in fitting]
    return [
        Detector(one.path, one.bands[order], one.meanings.select(order))
        for one, order in zip(fitting[:1], orders[:1], strict=True)
    ] or detectors


def join(detectors: list[Detector]) -> BandMeanings:
    """The meanings of the bands of all detectors, one after the other."""
    parts = [detector.meanings for detector in detectors]
    widths = [part.fwhm_nm for part in parts if part.fwhm_nm is not None]

    def gather(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return BandMeanings(
        good=gather("good"),
        wavelength_nm=gather("wavelength_nm"),
        fwhm_nm=np.concatenate(widths) if len(widths) == len(parts) else None,
        unit=parts[0].unit,
        scale=gather("scale"),
        offset=gather("offset"),
    )
