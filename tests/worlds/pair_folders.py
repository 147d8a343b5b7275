"""Folders of pairs, of empty files or small GeoTIFFs, with their tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from affine import Affine

from rsforge.data.pairs.index import find_pairs
from rsforge.errors import RsforgeError
from tests.worlds.rasters import NORTH_UP, ramp, write

HEAD = "s1_fileName,s2_fileName,coordinates,country,date-time,scale,region,season,operational-mode,polarisation,bands"


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not opened")


def touch_regions(root: Path, *stems: str, folder: str = "000") -> None:
    for stem in stems:
        touch(root, f"r_{folder}/s1_{folder}/{stem}.png", f"r_{folder}/s2_{folder}/{stem}.png")


def write_csv(root: Path, *rows: str, head: str = HEAD, folder: str = "r_000") -> Path:
    table = root / f"data_{folder}.csv"
    table.write_text("\n".join([head, *rows, ""]), "utf-8")
    return table


def pair_names(index) -> list[str]:
    return [pair.name for pair in index.pairs]


def find_refused(code: str, root: Path, **options) -> RsforgeError:
    with pytest.raises(RsforgeError) as caught:
        find_pairs(root, **options)
    assert caught.value.code == code
    return caught.value


ROW = "{s1},{s2},\"(12.49, 41.9)\",IT,2023-09-29T23:59:59Z,10,{region},{season},IW,VV,\"('B02', 'B03', 'B04')\""


def csv_row(stem: str, region: str = "temperate", season: str = "fall", folder: str = "000") -> str:
    """As Windows writes it: separators of both kinds."""
    s1, s2 = (f"r_{folder}\\s{n}_{folder}/{stem}.png" for n in (1, 2))
    return ROW.format(s1=s1, s2=s2, region=region, season=season)


def write_georeferenced(root: Path, name: str, shift: float = 0, size: int = 16, crs: str = "EPSG:32632") -> None:
    for folder, bands, moved in (("S1RTC", 2, 0.0), ("S2RGB", 3, shift), ("S2L2A", 12, 0.0)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        place = {"transform": Affine.translation(moved, 0) @ NORTH_UP, "crs": crs if bands == 3 else "EPSG:32632"}
        height = size if bands == 3 else 16
        write(root / folder / f"{name}.tif", ramp(height, 16, bands, "uint8"), **place)
