"""Which bands of a raster are those of Landsat that a network takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rsforge.data.io.band_choice import describe_bands, find_bands, name_bands
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

_OLI = {1: "coastal", 2: "blue", 3: "green", 4: "red", 5: "nir", 6: "swir1", 7: "swir2"}
DESIGNATIONS: Mapping[str, Mapping[int, str]] = {
    "landsat7": {1: "blue", 2: "green", 3: "red", 4: "nir", 5: "swir1", 7: "swir2", 8: "pan"},
    "landsat8": _OLI,
    "landsat9": _OLI,
}
"""The names of bands by the numbers that USGS gives them."""

ALIASES = {"coastalaerosol": "coastal", "nir08": "nir", "swir16": "swir1", "swir22": "swir2", "panchromatic": "pan"}
_NUMBERED = re.compile(r"(?:sr|toa)?b(?:and)?0?(\d)")


def identify_band(description: str | None, sensor: str, names: Sequence[str] = ()) -> str:
    """The name of the band that a description means, "" where it means none: ``SR_B2`` of landsat8 is blue."""
    text = re.sub(r"[\W_]+", "", (description or "").casefold())
    own = {re.sub(r"[\W_]+", "", name.casefold()): name for name in names}
    if text in own:
        return own[text]
    numbered = _NUMBERED.fullmatch(text)
    if numbered:
        return DESIGNATIONS.get(sensor, {}).get(int(numbered[1]), "")
    return ALIASES.get(text, text if text in _OLI.values() or text == "pan" else "")


def choose_landsat_bands(
    path: Path,
    descriptions: Sequence[str | None],
    *,
    count: int,
    sensor: str = "",
    names: Sequence[str] = (),
    wanted: Sequence[str] = (),
) -> tuple[list[int], str]:
    """The positions, from 0, of the ``count`` bands of a raster that are ``names`` of ``sensor``; what was inferred.

    ``wanted`` names them by number or description. Else descriptions decide where any of them means a band of Landsat,
    and otherwise the order, where the raster has as many bands. RSF-D003 for another number of bands, for one that is
    missing and for one that several descriptions mean.
    """
    if wanted:
        positions = find_bands(path, wanted, name_bands(descriptions))
        if len(positions) != count:
            raise _refusal(path, f"--bands names {count_noun(len(positions), 'band')}", descriptions, count, names)
        return positions, ""
    meant = [identify_band(text, sensor, names) for text in descriptions]
    if names and any(meant):
        for name in names:
            if meant.count(name) != 1:
                what = f"{path.name} has {'several bands' if name in meant else 'no band'} {name!r}"
                raise _refusal(path, what, descriptions, count, names)
        positions = [meant.index(name) for name in names]
        moved = positions != list(range(len(descriptions)))
        return positions, f"bands are chosen by their descriptions: {_number(positions)}" if moved else ""
    if len(descriptions) != count:
        raise _refusal(path, f"{path.name} has {count_noun(len(descriptions), 'band')}", descriptions, count, names)
    order = f": {', '.join(names)}" if names else ""
    return list(range(count)), f"no description names a band; they are taken in the order of the training{order}"


def _refusal(
    path: Path, what: str, descriptions: Sequence[str | None], count: int, names: Sequence[str]
) -> RsforgeError:
    wanted = f" ({', '.join(names)})" if names else ""
    there = f"{describe_bands(name_bands(descriptions))}; " if any(descriptions) else ""
    first = ",".join(str(k) for k in range(1, count + 1))
    fix = f"name them in this order with --bands, for example --bands {first}"
    if len(descriptions) < count:
        fix = "give a scene that has all bands of the training, in one file"
    return RsforgeError(
        "RSF-D003", what, where=str(path),
        found=f"{there}the network takes {count}{wanted}",
        fix=fix,
    )  # fmt: skip


def _number(positions: Sequence[int]) -> str:
    return ", ".join(str(k + 1) for k in positions)
