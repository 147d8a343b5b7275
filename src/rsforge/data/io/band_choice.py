"""Bands of a raster that a user names: by role, by description, by number from 1, or by wavelength."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rsforge.data.bands.meaning import BandMeaning, find_role, find_wavelength
from rsforge.data.io.georeference import OpenRaster, Raster
from rsforge.data.io.windows import Window
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

LISTED = 16
_WAVELENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(nm|um|µm)", re.IGNORECASE)


def find_bands(path: Path, wanted: Sequence[str], meanings: Sequence[BandMeaning]) -> list[int]:
    """The positions, from 0, of the bands ``wanted`` of the raster ``path``, whose bands mean ``meanings``.

    A description is compared without regard to case, then a role (red, vv), then a wavelength (665nm), then a number
    from 1. RSF-D003 for a band that is not there, or that several are.
    """
    return [_find_band(path, band, meanings) for band in wanted]


def _find_band(path: Path, wanted: str, meanings: Sequence[BandMeaning]) -> int:
    alike = [k for k, meaning in enumerate(meanings) if meaning.name.casefold() == wanted.casefold()]
    alike = alike or find_role(wanted.lower(), meanings)
    if not alike and (length := _WAVELENGTH.fullmatch(wanted.strip())):
        nanometres = float(length[1]) * (1 if length[2].lower() == "nm" else 1000)
        alike = find_wavelength(nanometres, meanings)
    if len(alike) == 1:
        return alike[0]
    if not alike and wanted.isascii() and wanted.isdecimal() and 0 < int(wanted[:9]) <= len(meanings):
        return int(wanted) - 1
    what = f"{path} has {'several bands' if alike else 'no band'} {wanted!r}"
    fix = f"name bands by their numbers, 1 to {len(meanings)}, with --bands"
    raise RsforgeError("RSF-D003", what, where=f"--bands, {path}", found=describe_bands(meanings), fix=fix)


def describe_bands(meanings: Sequence[BandMeaning]) -> str:
    """The number of bands, and those that have descriptions, roles or wavelengths by number."""
    described = [f"{k} {text}" for k, one in enumerate(meanings[:LISTED], 1) if (text := _describe_band(one))]
    return count_noun(len(meanings), "band") + (f": {', '.join(described)}" if described else "")


def _describe_band(meaning: BandMeaning) -> str:
    wavelength = f"{meaning.wavelength_nm:g} nm" if meaning.wavelength_nm is not None else ""
    return meaning.name or meaning.role.replace("grey", "") or wavelength


def name_bands(names: Sequence[str | None]) -> list[BandMeaning]:
    """Bands of which only descriptions are known."""
    return [BandMeaning(name or "") for name in names]


def choose_bands(raster: OpenRaster, wanted: Sequence[str]) -> OpenRaster:
    """``raster`` with its bands ``wanted`` alone, or whole for none, as by ``pick_bands``."""
    if not wanted:
        return raster
    return pick_bands(raster, find_bands(raster.info.path, wanted, raster.info.meanings))


def pick_bands(raster: OpenRaster, positions: Sequence[int]) -> OpenRaster:
    """``raster`` with the bands at ``positions`` alone, in their order.

    Where the format cannot leave bands unread, what is valid stays.
    """
    chosen = list(positions)
    if chosen == list(range(raster.info.bands)):
        return raster
    if raster.pick is not None:
        return raster.pick(chosen)
    meanings = tuple(raster.info.meanings[k] for k in chosen)
    mode = f"{raster.info.dtype} x {len(chosen)}"
    info = replace(raster.info, bands=len(chosen), mode=mode, meanings=meanings)

    def read(window: Window) -> Raster:
        whole = raster.read(window)
        return Raster(whole.values[..., chosen], whole.valid, info)

    return OpenRaster(info, read)
