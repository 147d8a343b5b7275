"""Items opened once, and everything said of them that one item shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.audit.faults import Fault, Seen, image_faults, see
from rsforge.data.audit.registration import Shift, shift
from rsforge.data.io import hdf5, rasters
from rsforge.data.io.georeference import apart
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.rasters import Raster
from rsforge.data.io.threads import in_threads
from rsforge.data.io.windows import Window
from rsforge.data.sar.radiometry import Radiometry, contradiction
from rsforge.data.splits.items import Holdings, Item

MOST_BYTES = 1 << 26
_FLOOR = 1e-6


@dataclass
class Exam:
    """An item, what was seen of each of its images (None: unreadable), its faults, and the shift of a pair."""

    item: Item
    seen: list[Seen | None] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    shift: Shift | None = None


def examine(holdings: Holdings, *, radiometry: Radiometry | None, gray: bool, shifts: bool = True) -> Iterator[Exam]:
    """Open every item, in order; ``radiometry`` is what SAR values are declared to be, ``gray`` allows grey optical
    images, ``shifts`` asks for registration."""
    if holdings.kind == "patches":
        for path, rows in groupby(holdings.items, key=lambda item: item.paths[0]):
            yield from _patches(path, list(rows))
    elif holdings.kind == "pairs":
        yield from in_threads(lambda item: _pair(item, radiometry, gray, shifts), holdings.items)
    else:
        yield from in_threads(_image, holdings.items)


def read_some(path: Path) -> Raster:
    """An image whole, or of a large one the middle, ``MOST_BYTES`` at most; ``UnreadableError``."""
    with rasters.opened(path) as raster:
        info = raster.info
        pixels = MOST_BYTES // max(info.bands * np.dtype(info.dtype).itemsize, 1)
        if info.height * info.width <= pixels:
            return raster.read(info.whole)
        side = math.isqrt(pixels)
        height, width = min(info.height, side), min(info.width, side)
        return raster.read(Window((info.height - height) // 2, (info.width - width) // 2, height, width))


def _opened(exam: Exam, side: str, path: Path) -> Raster | None:
    try:
        raster = read_some(path)
    except UnreadableError as reason:
        exam.seen.append(None)
        exam.faults.append(Fault("corrupt", exam.item.name, str(reason), side))
        return None
    exam.seen.append(see(raster.values, raster.valid))
    return raster


def _faults(exam: Exam, side: str, *, gray_is_fault: bool = False) -> None:
    seen = exam.seen[-1]
    if seen is not None:
        exam.faults += image_faults(exam.item.name, side, seen, gray_is_fault=gray_is_fault)


def _image(item: Item) -> Exam:
    exam = Exam(item)
    _opened(exam, "image", item.paths[0])
    _faults(exam, "image")
    return exam


def _pair(item: Item, radiometry: Radiometry | None, gray: bool, shifts: bool) -> Exam:
    exam = Exam(item)
    sar = _opened(exam, "sar", item.paths[0])
    _faults(exam, "sar")
    optical = _opened(exam, "optical", item.paths[1])
    _faults(exam, "optical", gray_is_fault=not gray)
    if sar is not None and radiometry is not None and (reason := contradiction(radiometry, sar.values[sar.valid])):
        exam.faults.append(Fault("radiometry", item.name, f"declared as {radiometry.unit}: {reason}", "sar"))
    if sar is None or optical is None:
        return exam
    if reason := apart(sar.info, optical.info):
        kind = "grid" if sar.values.shape[:2] == optical.values.shape[:2] else "size"
        exam.faults.append(Fault(kind, item.name, reason))
    elif shifts:
        exam.shift = shift(_even(sar), _even(optical))
    return exam


def _even(raster: Raster) -> npt.NDArray[np.float32]:
    """Values fit to be compared: powers as decibels, what holds no data at the mean."""
    values = raster.values.astype(np.float32)
    sound = np.isfinite(values) & raster.valid[..., None]
    if raster.values.dtype.kind == "f" and sound.any() and values[sound].min() >= 0:
        values = np.log10(np.maximum(values, _FLOOR))
    return np.where(sound, values, values[sound].mean() if sound.any() else 0)


def _patches(path: Path, items: list[Item]) -> Iterator[Exam]:
    """The rows of one HDF5 file: bands of reflectance, 0 where a pixel is not valid."""
    done = 0
    try:
        with hdf5.opened(path) as file:
            values = hdf5.Lazy(hdf5.check(hdf5.find(file, "aviris")))
            valid = hdf5.Lazy(hdf5.check(hdf5.find(file, "valid"))) if "valid" in file else None
            for item in items:
                yield _patch(item, values, valid)
                done += 1
    except UnreadableError as reason:
        for item in items[done:]:
            yield Exam(item, [None], [Fault("corrupt", item.name, str(reason), "patch")])


def _patch(item: Item, values: hdf5.Lazy, valid: hdf5.Lazy | None) -> Exam:
    row = item.row or 0
    patch: npt.NDArray[Any] = values.rows(row, row + 1)[0]
    mask = valid.rows(row, row + 1)[0].astype(bool) if valid else np.ones(patch.shape[:2], bool)
    exam = Exam(item, [see(patch, mask)])
    _faults(exam, "patch")
    return exam


def seen_sides(holdings: Holdings, exams: Iterable[Exam]) -> Iterator[tuple[str, str, Seen]]:
    """(item, side, what was seen) of every image that could be read."""
    for exam in exams:
        for side, seen in zip(holdings.sides, exam.seen, strict=True):
            if seen is not None:
                yield exam.item.name, side, seen
