"""Bands of a raster that a user names, by number from 1 or by description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rsforge.data.io.georeference import OpenRaster, Raster
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

LISTED = 16


def find_bands(path: Path, wanted: Sequence[str], names: Sequence[str | None]) -> list[int]:
    """The positions, from 0, of the bands ``wanted`` of the raster ``path``, whose bands are called ``names``.

    A description is compared without regard to case, and before a number. RSF-D003 for a band that is not there, or
    whose description several have.
    """
    return [_find_band(path, band, names) for band in wanted]


def _find_band(path: Path, wanted: str, names: Sequence[str | None]) -> int:
    alike = [k for k, name in enumerate(names) if (name or "").casefold() == wanted.casefold()]
    if len(alike) == 1:
        return alike[0]
    if not alike and wanted.isascii() and wanted.isdecimal() and 0 < int(wanted[:9]) <= len(names):
        return int(wanted) - 1
    what = f"{path} has {'several bands' if alike else 'no band'} {wanted!r}"
    fix = f"name bands by their numbers, 1 to {len(names)}, with --bands"
    raise RsforgeError("RSF-D003", what, where=f"--bands, {path}", found=describe_bands(names), fix=fix)


def describe_bands(names: Sequence[str | None]) -> str:
    """The number of bands, and those that have descriptions by number."""
    described = [f"{k} {name}" for k, name in enumerate(names[:LISTED], 1) if name]
    return count_noun(len(names), "band") + (f": {', '.join(described)}" if described else "")


def choose_bands(raster: OpenRaster, wanted: Sequence[str]) -> OpenRaster:
    """``raster`` with its bands ``wanted`` alone, named by number, or whole for none; what is valid stays."""
    if not wanted:
        return raster
    positions = find_bands(raster.info.path, wanted, [None] * raster.info.bands)
    info = replace(raster.info, bands=len(positions), mode=f"{raster.info.dtype} x {len(positions)}")

    def read(window: Window) -> Raster:
        whole = raster.read(window)
        return Raster(whole.values[..., positions], whole.valid, info)

    return OpenRaster(info, read)
