"""Whether stages and patches belong together: their bands, sensor, wavelengths, unit and ratio of pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rsforge.data.cubes.cube import F64
from rsforge.data.spectra.patch_files import PatchFile, find_other_band
from rsforge.errors import RsforgeError
from rsforge.recipes.hsi.load import SpatialModel, SpectralModel

WRONG_CHECKPOINT, WRONG_FILE = ("RSF-C006", "RSF-C006"), ("RSF-D003", "RSF-D010")
"""The codes of a difference, by what is to be replaced; the second is that of another unit."""
LANDSAT_SHIFT_NM = 10.0
"""Centres of the Landsat bands of one response may differ by so much, as cubes cover bands in part."""


@dataclass(frozen=True)
class BandFacts:
    """What a stage takes and makes, or what patches hold; ``name`` is how messages call it.

    A value is None, empty or blank where it does not matter or is not known.
    """

    name: str
    landsat_bands: int | None = None
    landsat_names: tuple[str, ...] = ()
    sensor: str = ""
    bands: int | None = None
    wavelength_nm: F64 | None = None
    unit: str = ""
    scale: Fraction | None = None
    landsat_nm: F64 | None = None
    """The centres of the Landsat bands by the response with which they were simulated."""

    @classmethod
    def of_patches(cls, file: PatchFile) -> BandFacts:
        """Without ``scale``."""
        return cls(
            "the patches",
            file.landsat_bands,
            file.landsat_names,
            file.sensor,
            file.bands,
            file.wavelength_nm,
            file.unit,
            landsat_nm=_find_centres(file.response, file.wavelength_nm),
        )

    @classmethod
    def of_stage1(cls, model: SpectralModel) -> BandFacts:
        bands, landsat_bands = model.ridge.weight.shape
        state = model.loaded.state
        return cls(
            "stage 1",
            landsat_bands,
            tuple(state.get("landsat_names", ())),
            state.get("sensor", ""),
            bands,
            model.wavelength_nm,
            state.get("unit", ""),
            landsat_nm=_find_centres(state.get("response"), model.wavelength_nm),
        )

    @classmethod
    def of_stage2(cls, model: SpatialModel) -> BandFacts:
        """Of the spectra, since it takes no Landsat; without ``scale``."""
        unit = model.loaded.state.get("unit", "")
        return cls("stage 2", bands=len(model.network.lowest), wavelength_nm=model.wavelength_nm, unit=unit)


def require_same(
    one: BandFacts,
    other: BandFacts,
    *,
    where: str,
    fix: str,
    found: str = "",
    codes: tuple[str, str] = WRONG_CHECKPOINT,
) -> None:
    """The error of the first difference between what both know."""
    for quantity, a, b in _list_quantities(one, other):
        known = a not in (None, (), "") and b not in (None, (), "")
        if known and a != b:
            what = f"the {quantity} is {_spell(a)} in {one.name} and {_spell(b)} in {other.name}"
            raise RsforgeError(codes[quantity == "unit"], what, where=where, found=found, fix=fix)


def _list_quantities(one: BandFacts, other: BandFacts) -> Iterator[tuple[str, Any, Any]]:
    """Each quantity and its two values; those of later ones can be compared where the former are the same."""
    yield "number of Landsat bands", one.landsat_bands, other.landsat_bands
    yield "list of Landsat bands", one.landsat_names, other.landsat_names
    yield "sensor", one.sensor, other.sensor
    if one.landsat_nm is not None and other.landsat_nm is not None:
        worst = int(np.abs(one.landsat_nm - other.landsat_nm).argmax())
        centres = float(one.landsat_nm[worst]), float(other.landsat_nm[worst])
        if abs(centres[0] - centres[1]) > LANDSAT_SHIFT_NM:
            yield f"centre of Landsat band {worst + 1} in nm", *centres
    yield "number of bands", one.bands, other.bands
    if one.wavelength_nm is not None and other.wavelength_nm is not None:
        k = find_other_band(one.wavelength_nm, other.wavelength_nm)
        if k is not None:
            yield f"centre of band {k + 1} in nm", float(one.wavelength_nm[k]), float(other.wavelength_nm[k])
    yield "unit", one.unit, other.unit
    yield "ratio of pixels", one.scale, other.scale


def _spell(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _find_centres(response: Any, wavelength_nm: F64 | None) -> F64 | None:
    """The mean wavelengths ``(K,)`` by the weights ``response (K, B)``; None where either is not known or damaged."""
    if response is None or len(response) == 0 or wavelength_nm is None:
        return None
    try:
        centres: F64 = np.asarray(response, float) @ wavelength_nm
    except (TypeError, ValueError):
        return None  # who needs the weights refuses them
    return centres
