"""A SAR image with its optical image, and where both lie on the ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rsforge.data.io import rasters
from rsforge.data.io.georeference import Footprint, find_difference
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.data.views.view import PairViews

TIFF = (".tif", ".tiff")
PLAIN_PAIR = PairViews()


@dataclass(frozen=True)
class Pair:
    """A SAR image and the optical image of the same place.

    ``name`` is unique and relative, without the folder or token s1 or s2; ``window`` is the place of a patch in its
    scene; ``coordinates`` are (longitude, latitude) in degrees; ``footprint`` is that of a GeoTIFF; ``metadata`` are
    all columns of its row in the table, with scene, terrain, region, season and country as they are here; ``views`` say
    how the images are read. Empty texts and None mean unknown.
    """

    name: str
    sar: Path
    optical: Path
    scene: str = ""
    window: Window | None = None
    terrain: str = ""
    region: str = ""
    season: str = ""
    country: str = ""
    coordinates: tuple[float, float] | None = None
    footprint: Footprint | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    views: PairViews = PLAIN_PAIR


def locate_pair(pair: Pair) -> tuple[Pair, str]:
    """The pair with its place on the ground, and why the images do not cover the same pixels, if they do not."""
    if pair.sar.suffix.lower() not in TIFF or pair.optical.suffix.lower() not in TIFF:
        return pair, ""
    try:
        sar, optical = rasters.read_info(pair.sar), rasters.read_info(pair.optical)
    except UnreadableError:  # reported by whoever opens the pair
        return pair, ""
    pair = replace(pair, footprint=sar.footprint or optical.footprint)
    if pair.coordinates is None and sar.grid is not None:
        pair = replace(pair, coordinates=sar.grid.centre(sar.height, sar.width))
    return pair, find_difference(sar, optical)
