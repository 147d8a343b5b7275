"""Every item of a data set opened once: statistics of its images, faults of the item alone, registration of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.audit.faults import DataFault, find_image_faults
from rsforge.data.audit.image_stats import ImageStats, measure_image
from rsforge.data.audit.registration import Shift, measure_shift
from rsforge.data.cubes import hdf5_file
from rsforge.data.io.georeference import find_difference
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import Raster, find_centre
from rsforge.data.io.threads import map_in_threads
from rsforge.data.sar.matching_scale import scale_for_matching
from rsforge.data.sar.radiometry import Radiometry, find_contradiction
from rsforge.data.splits.items import DatasetContents, Item
from rsforge.data.views.view import BandsError, Modality, RangeError, View, check_span, find_other_names, open_view

STORED = View(as_stored=True)


@dataclass
class Inspection:
    """An item, statistics of each of its images (None where unreadable), its faults, and the shift of a pair."""

    item: Item
    stats: list[ImageStats | None] = field(default_factory=list)
    faults: list[DataFault] = field(default_factory=list)
    shift: Shift | None = None


def inspect_items(
    contents: DatasetContents, *, radiometry: Radiometry | None, gray: bool, shifts: bool = True
) -> Iterator[Inspection]:
    """Open every item, in order.

    ``radiometry`` is that declared for SAR values, ``gray`` allows grey optical images, ``shifts`` measures
    registration.
    """
    if contents.kind == "patches":
        for path, rows in groupby(contents.items, key=lambda item: item.paths[0]):
            yield from _inspect_patches(path, list(rows))
    elif contents.kind == "pairs":
        yield from map_in_threads(lambda item: _inspect_pair(item, radiometry, gray, shifts), contents.items)
    else:
        yield from map_in_threads(_inspect_image, contents.items)


def _read_and_measure(inspection: Inspection, modality: str, place: int) -> Raster | None:
    """Read an image as training does and add its statistics, or the fault that it cannot be read so.

    Where its bands cannot be told or no range is declared, training refuses it: it is measured as it is stored.
    """
    item = inspection.item
    path, view = item.paths[place], item.view(place)
    kind: Modality = "sar" if modality == "sar" else "optical"
    try:
        try:
            raster = _read_centre(path, view, kind)
        except BandsError as unknown:
            inspection.faults.append(DataFault("bands", item.name, str(unknown), modality))
            raster = _read_centre(path, STORED, kind)
        else:
            if kind == "optical":
                _add_span_fault(inspection, raster, view, modality)
                _add_names_fault(inspection, raster, view, modality)
    except UnreadableError as reason:
        inspection.stats.append(None)
        inspection.faults.append(DataFault("corrupt", item.name, str(reason), modality))
        return None
    if raster.info.pictures > 1:
        what = f"it holds {raster.info.pictures} pictures, of which the first is read"
        inspection.faults.append(DataFault("several", item.name, what, modality))
    inspection.stats.append(measure_image(raster.values, raster.valid))
    return raster


def read_as_audited(item: Item, place: int, modality: str) -> Raster:
    """The centre of an image as an audit measures it; ``UnreadableError`` where it cannot be read at all."""
    kind: Modality = "sar" if modality == "sar" else "optical"
    try:
        return _read_centre(item.paths[place], item.view(place), kind)
    except BandsError:
        return _read_centre(item.paths[place], STORED, kind)


def _read_centre(path: Path, view: View, modality: Modality) -> Raster:
    with open_view(path, view, modality) as raster:
        return raster.read(find_centre(raster.info))


def _add_span_fault(inspection: Inspection, raster: Raster, view: View, modality: str) -> None:
    try:
        check_span(raster.info, view)
    except RangeError as reason:
        inspection.faults.append(DataFault("range", inspection.item.name, str(reason), modality))


def _add_names_fault(inspection: Inspection, raster: Raster, view: View, modality: str) -> None:
    if names := find_other_names(raster.info, view):
        reason = f"its bands are called {names}, and are read as red, green and blue in this order"
        inspection.faults.append(DataFault("names", inspection.item.name, reason, modality))


def _add_image_faults(inspection: Inspection, modality: str, *, gray_is_fault: bool = False) -> None:
    """Add the faults of the image that was measured last."""
    stats = inspection.stats[-1]
    if stats is not None:
        inspection.faults += find_image_faults(inspection.item.name, modality, stats, gray_is_fault=gray_is_fault)


def _inspect_image(item: Item) -> Inspection:
    inspection = Inspection(item)
    _read_and_measure(inspection, "image", 0)
    _add_image_faults(inspection, "image")
    return inspection


def _inspect_pair(item: Item, radiometry: Radiometry | None, gray: bool, shifts: bool) -> Inspection:
    inspection = Inspection(item)
    sar = _read_and_measure(inspection, "sar", 0)
    _add_image_faults(inspection, "sar")
    optical = _read_and_measure(inspection, "optical", 1)
    _add_image_faults(inspection, "optical", gray_is_fault=not gray)
    if sar is not None and radiometry is not None:
        reason = find_contradiction(radiometry, sar.values[sar.valid])
        if reason:
            reason = f"declared as {radiometry.unit}: {reason}"
            inspection.faults.append(DataFault("radiometry", item.name, reason, "sar"))
    if sar is not None and optical is not None:
        reason = find_difference(sar.info, optical.info)
        if reason:
            kind = "grid" if sar.values.shape[:2] == optical.values.shape[:2] else "size"
            inspection.faults.append(DataFault(kind, item.name, reason))
        elif shifts:
            inspection.shift = measure_shift(*(scale_for_matching(one.values, one.valid) for one in (sar, optical)))
    return inspection


def _inspect_patches(path: Path, items: list[Item]) -> Iterator[Inspection]:
    """The rows of one HDF5 file; from the first that cannot be read on, all of them are faults."""
    done = 0
    try:
        with hdf5_file.open_file(path) as file:
            values = hdf5_file.LazyRows(hdf5_file.check_dataset(hdf5_file.find_dataset(file, "aviris")))
            valid = None
            if "valid" in file:
                valid = hdf5_file.LazyRows(hdf5_file.check_dataset(hdf5_file.find_dataset(file, "valid")))
            for item in items:
                yield _inspect_patch(item, values, valid)
                done += 1
    except UnreadableError as reason:
        for item in items[done:]:
            yield Inspection(item, [None], [DataFault("corrupt", item.name, str(reason), "patch")])


def _inspect_patch(item: Item, values: hdf5_file.LazyRows, valid: hdf5_file.LazyRows | None) -> Inspection:
    row = item.row or 0
    patch: npt.NDArray[Any] = values.read_rows(row, row + 1)[0]
    mask = np.ones(patch.shape[:2], bool)
    if valid is not None:
        mask = valid.read_rows(row, row + 1)[0].astype(bool)
    inspection = Inspection(item, [measure_image(patch, mask)])
    _add_image_faults(inspection, "patch")
    return inspection


def list_image_stats(
    contents: DatasetContents, inspections: Iterable[Inspection]
) -> Iterator[tuple[str, str, ImageStats]]:
    """(item, modality, statistics) of every image that could be read."""
    for inspection in inspections:
        for modality, stats in zip(contents.modalities, inspection.stats, strict=True):
            if stats is not None:
                yield inspection.item.name, modality, stats
