"""What GDAL's metadata say of the bands of a raster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rsforge.data.bands.keys import is_good, understand
from rsforge.data.bands.meaning import COLOURS, BandMeaning, find_roles
from rsforge.data.bands.products import (
    COLLECTION2,
    find_baseline,
    find_central_wavelength,
    find_level1_scale,
    find_scale,
)

COLOUR_MEANINGS = tuple(BandMeaning(role=role) for role in COLOURS)
_LONGEST_UM = 30.0  # larger numbers are nm
_HARMONISED = ("HARMONIZED", "HARMONISED", "BOA_OFFSET_APPLIED", "EARTHSEARCH:BOA_OFFSET_APPLIED")
_BASELINE = re.compile(r"N?(\d{1,2})\.?\d{2}")
_OFFSET_FROM = 4  # processing baseline of Sentinel-2 from which digital numbers are 1000 larger
_ROLES = {"gray": "grey", "undefined": "", "alpha": ""}


def find_meanings(dataset: Any, bands: Sequence[int]) -> tuple[BandMeaning, ...]:
    """The meanings of the ``bands``, by number from 1, of a dataset open in rasterio."""
    offset = _find_baseline_offset(dataset)
    columns = zip(
        dataset.descriptions, dataset.colorinterp, dataset.units, dataset.scales, dataset.offsets,
        dataset.nodatavals, strict=True,
    )  # fmt: skip
    rows = list(columns)
    meanings = []
    by_name = find_central_wavelength(dataset.name) if dataset.count == 1 else None
    for number in bands:
        name, colour, unit, scale, declared, fill = rows[number - 1]
        tags = dataset.tags(number)
        if (scale, declared) == (1.0, 0.0):
            scale, declared = find_scale(dataset.name, name, dataset.dtypes[number - 1]) or (1.0, offset)
        meaning = BandMeaning(
            name=(name or "").strip(),
            role=_ROLES.get(colour.name, colour.name),
            wavelength_nm=_find_wavelength(tags, dataset.tags(number, ns="IMAGERY")) or by_name,
            unit=(unit or "").strip(),
            scale=scale,
            offset=declared,
            good=all(is_good(text) for name, text in tags.items() if understand(name)[0] == "good"),
            fill=fill,
        )
        meanings.append(meaning)
    return find_roles(meanings)


def find_nodata(dataset: Any, meanings: Sequence[BandMeaning]) -> float | None:
    """The value without data that a file declares, else 0 where its numbers are known to be those of a product."""
    named = any((meaning.scale, meaning.offset) == COLLECTION2 for meaning in meanings)
    named = named or find_baseline(dataset.name) is not None or find_level1_scale(dataset.name) is not None
    return 0.0 if dataset.nodata is None and named else dataset.nodata


def list_factors(dataset: Any, bands: Sequence[int], meanings: Sequence[BandMeaning]) -> list[tuple[float, float]]:
    """Scale and offset of each band as declared, else as the name says, which is lost with the name."""
    declared = [(dataset.scales[number - 1], dataset.offsets[number - 1]) for number in bands]
    return [
        (meaning.scale, meaning.offset) if one == (1.0, 0.0) else one
        for one, meaning in zip(declared, meanings, strict=False)
    ]


def _find_wavelength(tags: Mapping[str, str], imagery: Mapping[str, str]) -> float | None:
    """The central wavelength of a band in nm, from its own tags or GDAL's domain IMAGERY; None where none is given.

    Its unit is said by the name of the tag or a tag of its own, else by its magnitude.
    """
    said = {**imagery, **tags}
    stated = next((text.strip().lower() for name, text in said.items() if understand(name)[0] == "wavelength unit"), "")
    for name, text in said.items():
        meaning, unit = understand(name)
        with suppress(ValueError, IndexError):
            if meaning == "wavelength":
                length = float(text.split()[0])
                micrometres = (unit or stated).startswith(("um", "µm", "μm", "micro"))
                known = micrometres or (unit or stated).startswith(("nm", "nano"))
                return length * 1000 if micrometres or (not known and length < _LONGEST_UM) else length
    return None


def _find_baseline_offset(dataset: Any) -> float:
    """-1000 for digital numbers of Sentinel-2 from processing baseline 04.00 on, as a tag or its product says; else 0.

    Tags that say that the offset was taken off already are heeded.
    """
    tags = {name.upper(): value for name, value in dataset.tags().items()}
    harmonised = any(tags.get(name, "").lower() in ("true", "yes", "1") for name in _HARMONISED)
    if dataset.dtypes[0] != "uint16" or harmonised:
        return 0.0
    with suppress(KeyError, ValueError):
        return float(tags["BOA_ADD_OFFSET"])
    # 04.00 in the metadata of a product, N0400 in its name.
    digits = _BASELINE.fullmatch(tags.get("PROCESSING_BASELINE", "").strip())
    baseline = int(digits[1]) if digits else find_baseline(dataset.name)
    return -1000.0 if baseline is not None and baseline >= _OFFSET_FROM else 0.0
