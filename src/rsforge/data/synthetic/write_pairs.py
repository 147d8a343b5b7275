"""Drawn SAR and optical patches in the layouts of paired data sets, four patches to a scene, with CSV tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Literal

from rsforge import durable
from rsforge.data.io.windows import Window, windows
from rsforge.data.synthetic.backscatter import decibel, grey
from rsforge.data.synthetic.world import REGIONS, SEASONS, pair, picture

Layout = Literal["terrain", "regions"]

PER_SCENE = 4
COLUMNS = (
    "s1_fileName", "s2_fileName", "coordinates", "country", "date-time", "scale", "region", "season",
    "operational-mode", "polarisation", "bands", "scene", "row", "col", "height", "width",
)  # fmt: skip

_TERRAINS = {"fields": "agri", "village": "urban", "river": "river", "coast": "coast"}
_ROIS = {"winter": "ROIs2017", "spring": "ROIs1158", "summer": "ROIs1868", "fall": "ROIs1970"}
_DATES = {"winter": "2023-01-17", "spring": "2023-04-11", "summer": "2023-07-22", "fall": "2023-10-05"}
_PLACES = {
    "tropical": (("IN", 78.5, 17.4), ("NG", 8.1, 9.6), ("MX", -98.2, 19.1), ("TH", 101.2, 15.9)),
    "temperate": (("IT", 11.3, 44.6), ("FR", 2.4, 47.6), ("DE", 10.6, 51.4), ("PL", 20.1, 52.2)),
    "arctic": (("NO", 25.3, 69.9), ("FI", 26.9, 67.9), ("SE", 20.6, 67.6), ("CA", -133.5, 68.4)),
}


@dataclass(frozen=True)
class Site:
    """One scene: its number in the world, how it looks, where it lies in files (``folder``) and on Earth."""

    number: int
    folder: str
    look: dict[str, str]
    code: str
    country: str = ""
    coordinates: str = ""
    names: tuple[tuple[str, str], ...] = field(default=())


def _terrain(s: int) -> Site:
    kind, turn = list(_TERRAINS)[s % 4], s // 4
    folder, season = _TERRAINS[kind], SEASONS[(turn + s) % 4]
    stem = f"{folder}/{{0}}/{_ROIS[season]}_{season}_{{0}}_{s + 1}_p{{1}}.png"
    names = tuple((stem.format("s1", p), stem.format("s2", p)) for p in range(1, PER_SCENE + 1))
    return Site(s, folder, {"kind": kind, "season": season}, f"{_ROIS[season]}_{season}_{s + 1}", names=names)


def _regions(s: int) -> Site:
    number, turn = s % len(REGIONS), s // len(REGIONS)
    region, season = REGIONS[number], SEASONS[(turn + s) % 4]
    country, lon, lat = _PLACES[region][turn % 4]
    # Scenes of one place lie a third of a degree apart.
    lon, lat = round(lon + turn // 4 % 10 / 3, 4), round(lat - turn // 40 % 4 / 3, 4)
    first, code = turn * PER_SCENE + 1, f"{number:03d}"
    # Mixed separators are what the original scripts write on Windows.
    stem = f"r_{code}\\{{0}}_{code}/img_p{{1}}.png"
    names = tuple((stem.format("s1", p), stem.format("s2", p)) for p in range(first, first + PER_SCENE))
    look = {"season": season, "region": region}
    return Site(s, f"r_{code}", look, f"scene_{s:03d}", country, f"({lon}, {lat})", names)


def sites(layout: Layout, count: int) -> list[Site]:
    """The scenes of ``count`` patches; the last one may lack some."""
    whole = [(_terrain if layout == "terrain" else _regions)(s) for s in range(-(-count // PER_SCENE))]
    rest = count - PER_SCENE * (len(whole) - 1)
    last = whole.pop()
    return [*whole, Site(**{**vars(last), "names": last.names[:rest]})]


def files(layout: Layout, count: int) -> list[str]:
    """What ``write`` writes, below the root."""
    chosen = sites(layout, count)
    tables = sorted({f"data_{site.folder}.csv" for site in chosen})
    return [*tables, *(name.replace("\\", "/") for site in chosen for two in site.names for name in two)]


def write(root: Path, layout: Layout, *, count: int, size: int, seed: int) -> Iterator[int]:
    """Write ``count`` pairs of ``size`` pixels and then the tables; yields how many pairs each step wrote.

    SAR is 8-bit grey: -25 to 0 dB of sigma0. Each scene is cut into four windows that do not overlap.
    """
    chosen, cuts = sites(layout, count), windows(2 * size, 2 * size, size, size)
    for site in chosen:
        optical, sar = pair(seed, site.number, 2 * size, **site.look)
        for image, side in ((grey(decibel(sar)), 0), (optical, 1)):
            for two, (row, col, height, width) in zip(site.names, cuts, strict=False):
                path = root / two[side].replace("\\", "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                durable.write_bytes(path, picture(image[row : row + height, col : col + width]))
        yield len(site.names)
    for folder, those in groupby(sorted(chosen, key=lambda site: (site.folder, site.number)), lambda s: s.folder):
        durable.write_text(root / f"data_{folder}.csv", _table(list(those), cuts))


def _table(chosen: list[Site], cuts: list[Window]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for site in chosen:
        season, region = site.look["season"], site.look.get("region", "")
        facts = (site.coordinates, site.country, f"{_DATES[season]}T23:59:59Z", 10, region, season)
        for two, cut in zip(site.names, cuts, strict=False):
            rows.writerow((*two, *facts, "IW", "VV", "('B02', 'B03', 'B04')", site.code, *cut))
    return text.getvalue()
