"""Synthetic SAR and optical patches in the layouts of paired data sets, four patches a scene, with CSV tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal

from rsforge import durable
from rsforge.data.io.image_reader import Pixels
from rsforge.data.io.windows import Window, list_windows
from rsforge.data.pairs.tables import COLUMNS
from rsforge.data.synthetic.backscatter import to_decibel, to_grey
from rsforge.data.synthetic.world import REGIONS, SEASONS, draw_pair, encode_image

SyntheticLayout = Literal["terrain", "regions"]

PER_SCENE = 4

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
    """One scene: its number in the series, how it looks, its folder and file names, and its place on Earth."""

    number: int
    folder: str
    look: dict[str, str]
    code: str
    country: str = ""
    coordinates: str = ""
    names: tuple[tuple[str, str], ...] = field(default=())


def _terrain_site(s: int) -> Site:
    """Scene ``s`` of the layout terrain; kinds alternate, seasons alternate within each kind."""
    kind = list(_TERRAINS)[s % 4]
    folder = _TERRAINS[kind]
    season = SEASONS[(s // 4 + s) % 4]
    stem = f"{folder}/{{0}}/{_ROIS[season]}_{season}_{{0}}_{s + 1}_p{{1}}.png"
    names = tuple((stem.format("s1", p), stem.format("s2", p)) for p in range(1, PER_SCENE + 1))
    return Site(s, folder, {"kind": kind, "season": season}, f"{_ROIS[season]}_{season}_{s + 1}", names=names)


def _region_site(s: int, *, every_season: bool = False) -> Site:
    """Scene ``s`` of the layout regions; regions alternate, countries and seasons alternate within each region.

    With ``every_season`` four sites in a row are one scene in its four seasons.
    """
    visit, s = (s % len(SEASONS), s // len(SEASONS)) if every_season else (0, s)
    number = s % len(REGIONS)
    turn = s // len(REGIONS)
    region = REGIONS[number]
    season = SEASONS[visit if every_season else (turn + number) % 4]
    country, lon, lat = _PLACES[region][turn % 4]
    # Scenes of one place lie a third of a degree apart.
    lon = round(lon + turn // 4 % 10 / 3, 4)
    lat = round(lat - turn // 40 % 4 / 3, 4)
    first = (turn * len(SEASONS) + visit if every_season else turn) * PER_SCENE + 1
    code = f"{number:03d}"
    # The original scripts write both separators on Windows.
    stem = f"r_{code}\\{{0}}_{code}/img_p{{1}}.png"
    names = tuple((stem.format("s1", p), stem.format("s2", p)) for p in range(first, first + PER_SCENE))
    look = {"season": season, "region": region}
    return Site(s, f"r_{code}", look, f"scene_{s:03d}", country, f"({lon}, {lat})", names)


def list_sites(layout: SyntheticLayout, count: int, *, every_season: bool = False) -> list[Site]:
    """The scenes of ``count`` patches; the last one may have fewer than four.

    With ``every_season``, which the layout regions has, four sites in a row are one scene in its four seasons.
    """
    make_site = _terrain_site if layout == "terrain" else partial(_region_site, every_season=every_season)
    scenes = [make_site(s) for s in range(math.ceil(count / PER_SCENE))]
    in_last = count - PER_SCENE * (len(scenes) - 1)
    scenes[-1] = replace(scenes[-1], names=scenes[-1].names[:in_last])
    return scenes


def list_files(layout: SyntheticLayout, count: int, *, every_season: bool = False) -> list[str]:
    """The files that ``write`` writes, relative to the root."""
    scenes = list_sites(layout, count, every_season=every_season)
    tables = sorted({f"data_{site.folder}.csv" for site in scenes})
    images = [name.replace("\\", "/") for site in scenes for names in site.names for name in names]
    return [*tables, *images]


def write(
    root: Path, layout: SyntheticLayout, *, count: int, size: int, seed: int, every_season: bool = False
) -> Iterator[int]:
    """Write ``count`` pairs of ``size`` pixels and then the tables; yields the number of pairs after each scene.

    SAR is 8-bit grey for -25 to 0 dB of sigma0. Each scene is cut into four patches that do not overlap. A scene has
    one SAR image, also with ``every_season``: the backscatter does not know the season.
    """
    scenes = list_sites(layout, count, every_season=every_season)
    windows = list_windows(2 * size, 2 * size, size, size)
    for site in scenes:
        optical, sar = draw_pair(seed, site.number, 2 * size, **site.look)
        grey = to_grey(to_decibel(sar))
        for (sar_name, optical_name), window in zip(site.names, windows, strict=False):
            _write_patch(root / sar_name.replace("\\", "/"), grey, window)
            _write_patch(root / optical_name.replace("\\", "/"), optical, window)
        yield len(site.names)
    by_folder = sorted(scenes, key=lambda site: (site.folder, site.number))
    for folder, in_folder in groupby(by_folder, lambda site: site.folder):
        durable.write_text(root / f"data_{folder}.csv", _make_table(list(in_folder), windows))


def _write_patch(path: Path, image: Pixels, window: Window) -> None:
    row, col, height, width = window
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write_bytes(path, encode_image(image[row : row + height, col : col + width]))


def _make_table(scenes: list[Site], windows: list[Window]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for site in scenes:
        season = site.look["season"]
        region = site.look.get("region", "")
        facts = (site.coordinates, site.country, f"{_DATES[season]}T23:59:59Z", 10, region, season)
        for names, window in zip(site.names, windows, strict=False):
            rows.writerow((*names, *facts, "IW", "VV", "('B02', 'B03', 'B04')", site.code, *window))
    return text.getvalue()
