"""Scenes of Landsat: their bands in the order of a training, as physical values with gaps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from rsforge.data.bands.products import COLLECTION2, find_level1_metadata, is_collection2, is_surface_band
from rsforge.data.cubes.cube import F32, F64, FILLS
from rsforge.data.io.georeference import BandMetadata, OpenRaster, RasterInfo
from rsforge.data.io.image_reader import UnreadableError, unreadable_error
from rsforge.data.io.rasters import open_raster
from rsforge.data.io.windows import Window
from rsforge.data.scenes.landsat_bands import choose_landsat_bands
from rsforge.errors import RsforgeError

Values = Literal["auto", "collection2", "training"]


@dataclass(frozen=True)
class BandRequest:
    """The bands that a network takes, and what is said of the values of files: see ``open_landsat``."""

    count: int
    sensor: str = ""
    names: tuple[str, ...] = ()
    wanted: tuple[str, ...] = ()
    values: Values = "auto"
    scale_offset: tuple[float, float] | None = None


@dataclass(frozen=True)
class LandsatScene:
    """An open scene; ``read(window)`` returns ``(bands, h, w)`` in ``unit`` ("" when not stated), NaN where any band of
    a pixel has no data. ``notes`` say what was inferred, ``tags`` are those of the file."""

    info: RasterInfo
    unit: str
    notes: tuple[str, ...]
    tags: dict[str, str]
    read: Callable[[Window], F32]


@contextmanager
def open_landsat(path: Path, request: BandRequest) -> Iterator[LandsatScene]:
    """The bands of a request in the raster ``path``.

    Stored numbers become values by ``scale_offset``, by ``COLLECTION2`` where the request says so, or by the scales and
    offsets that the file states. With ``auto``, whole numbers of a file that states none are those of Collection 2
    where its name or every description is that of such a product, and are refused otherwise. RSF-D002 for a raster that
    cannot be read, RSF-D003 for other bands, RSF-D010 for whole numbers of unknown meaning.
    """
    try:
        with open_raster(path) as raster:
            described = raster.metadata.descriptions if raster.metadata else [None] * raster.info.bands
        positions, note = choose_landsat_bands(
            path, described, count=request.count, sensor=request.sensor, names=request.names, wanted=request.wanted
        )
        with open_raster(path, _select(described, positions)) as raster:
            yield _describe_scene(raster, request, note)
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason)) from None


def _select(described: Sequence[str | None], positions: Sequence[int]) -> list[str]:
    """What ``open_raster`` is to be asked for; nothing where it is all bands in their order."""
    if list(positions) == list(range(len(described))):
        return []
    names = [(name or "").casefold() for name in described]
    return [described[k] or "" if names[k] and names.count(names[k]) == 1 else str(k + 1) for k in positions]


class _Numbers(NamedTuple):
    """What stored numbers mean, ``gain`` and ``offset`` ``(bands,)``; which are gaps; and what was inferred."""

    gain: F64
    offset: F64
    unit: str
    fills: tuple[float, ...]
    note: str = ""


def _describe_scene(raster: OpenRaster, request: BandRequest, note: str) -> LandsatScene:
    count = raster.info.bands
    metadata = raster.metadata or BandMetadata({}, [], [None] * count, [None] * count, [1.0] * count, [0.0] * count)
    numbers = _read_numbers(raster.info, metadata, request)

    def read(window: Window) -> F32:
        part = raster.read(window)
        valid = part.valid & np.isfinite(part.values).all(axis=-1)
        for fill in numbers.fills:
            valid &= ~(part.values == fill).any(axis=-1)
        values: F32 = (part.values.astype(float) * numbers.gain + numbers.offset).astype(np.float32)
        values[~valid] = np.nan
        return np.moveaxis(values, -1, 0)

    return LandsatScene(raster.info, numbers.unit, tuple(filter(None, (note, numbers.note))), metadata.tags, read)


def _read_numbers(info: RasterInfo, metadata: BandMetadata, request: BandRequest) -> _Numbers:
    fills = FILLS if info.nodata is None else (info.nodata,)
    unit, ones = _find_unit(metadata), np.ones(info.bands)
    if request.scale_offset is not None:
        return _Numbers(ones * request.scale_offset[0], ones * request.scale_offset[1], unit, fills)
    whole = np.dtype(info.dtype).kind in "iu"
    gain, offset = np.array(metadata.scales, float), np.array(metadata.offsets, float)
    stated = bool((gain != 1).any() or offset.any())
    own = stated and np.allclose(gain, COLLECTION2[0]) and np.allclose(offset, COLLECTION2[1])
    if request.values == "collection2" and not whole:
        what = f"{info.path.name} holds {info.dtype}, not the whole numbers of Collection 2"
        raise RsforgeError("RSF-D010", what, where=str(info.path), fix="leave --values out")
    guessed = request.values == "auto" and not stated and whole and _is_product(info, metadata)
    if request.values == "collection2" or own or guessed:
        said = guessed or (own and is_collection2(info.path.name))
        note = "its numbers are read as those of Landsat Collection 2 Level 2" if said else ""
        return _Numbers(ones * COLLECTION2[0], ones * COLLECTION2[1], "reflectance", (*fills, 0.0), note)
    level1 = find_level1_metadata(str(info.path)) if whole and not stated else None
    if level1 and request.values == "auto":
        raise _refuse_level1(info.path, level1)
    if whole and not stated and request.values == "auto":
        what = f"{info.path.name} holds whole numbers ({info.dtype}) and states no scale"
        fix = "say --values collection2, or --scale-offset SCALE OFFSET, or that they are values by --values training"
        raise RsforgeError("RSF-D010", what, where=str(info.path), fix=fix)
    note = f"values are scaled by what it states, {gain[0]:g} and {offset[0]:g} in its first band" if stated else ""
    if level1:
        note = "numbers of Landsat Level 1 are read as they are stored, not as reflectance"
    return _Numbers(gain, offset, unit, fills, note)


def _refuse_level1(path: Path, metadata: Path) -> RsforgeError:
    """Numbers of Level 1 that nothing scales: of files of one band the metadata are not beside them."""
    fields = "REFLECTANCE_MULT_BAND_N and REFLECTANCE_ADD_BAND_N"
    there = f"of {metadata.name} beside it" if metadata.is_file() else f"of {metadata.name}, which is not beside it,"
    return RsforgeError(
        "RSF-D010", f"{path.name} holds numbers of Landsat Level 1 and states no scale", where=str(path),
        fix=f"give {fields} {there} by --scale-offset, or say --values training where the training had such numbers",
    )  # fmt: skip


def _is_product(info: RasterInfo, metadata: BandMetadata) -> bool:
    """Whether a raster is named as a Collection 2 Level 2 product, or all its bands are as those of one."""
    return is_collection2(info.path.name) or all(map(is_surface_band, metadata.descriptions))


def _find_unit(metadata: BandMetadata) -> str:
    """The unit that all bands state, else that of the file, else ""."""
    units = {(unit or "").strip() for unit in metadata.units}
    if len(units) == 1 and units != {""}:
        return units.pop()
    tags = {key.casefold(): value for key, value in metadata.tags.items()}
    return next((tags[key].strip() for key in ("units", "unit", "data_units", "data units") if key in tags), "")
