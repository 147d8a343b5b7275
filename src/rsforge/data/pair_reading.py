"""The pixels of pairs, in [-1, 1], by a radiometry that is settled once and enforced at every opening."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from rsforge.data import rasters
from rsforge.data.card import CARD, read_card
from rsforge.data.grids import apart
from rsforge.data.images import UnreadableError, unreadable
from rsforge.data.pairs import Pair, PairIndex
from rsforge.data.radiometry import EIGHT_BIT, Radiometry, Unit, check, extent, settle
from rsforge.errors import RsforgeError

_SAMPLED = 16


def radiometry_of(
    index: PairIndex, unit: Unit | Literal["auto"] = "auto", clip: tuple[float, float] | None = None
) -> tuple[Radiometry, str]:
    """The radiometry of a set's SAR images: declared, else that of its card, else inferred from some; and a sentence.

    RSF-D002 when none of those looked at can be read, RSF-D006 for a damaged card, RSF-D010 when no unit fits.
    """
    card = read_card(index.root)
    if unit == "auto" and clip is None and "radiometry" in card:
        stored = Radiometry.from_dict(card["radiometry"], where=str(index.root / CARD))
        return stored, f"{stored.unit} kept from {stored.low:g} to {stored.high:g}, as {CARD} says"
    chosen = np.linspace(0, len(index.pairs) - 1, min(_SAMPLED, len(index.pairs))).astype(int)
    samples, failures = [], []
    for pair in (index.pairs[k] for k in chosen):
        try:
            raster = _readable(pair.sar)
            samples.append(raster.values[raster.valid])
        except RsforgeError as error:
            failures.append(error)
    if not samples:
        raise failures[0]
    return settle(unit, clip, str(samples[0].dtype), *extent(samples))


def open_pair(
    pair: Pair, radiometry: Radiometry, *, optical: Radiometry = EIGHT_BIT, allow_gray_optical: bool = False
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """SAR (H, W, C) and optical (H, W, 3), float32 in [-1, 1]; pixels without data are -1.

    RSF-D002 when one cannot be read, RSF-D009 when they differ in size or grid or the optical image has not three bands
    (one is repeated with ``allow_gray_optical``), RSF-D010 when values contradict their radiometry.
    """
    first, second = _readable(pair.sar), _readable(pair.optical)
    if reason := apart(first.info, second.info):
        raise RsforgeError("RSF-D009", f"the images of {pair.name} do not fit: {reason}", where=str(pair.optical))
    bands = second.info.bands
    if bands != 3 and not (bands == 1 and allow_gray_optical):
        fix = "accept grey ones with --allow-gray-optical" if bands == 1 else "keep red, green and blue"
        what = f"the optical image of {pair.name} has {bands} band{'s' * (bands != 1)}, not three"
        raise RsforgeError("RSF-D009", what, where=str(pair.optical), fix=fix)
    colours = _scaled(second, optical, str(pair.optical), "save optical images as red, green and blue of 8 bits")
    return _scaled(first, radiometry, str(pair.sar)), np.repeat(colours, 3 // bands, axis=-1)


def _readable(path: Path) -> rasters.Raster:
    try:
        return rasters.read(path)
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


def _scaled(raster: rasters.Raster, radiometry: Radiometry, where: str, fix: str = "") -> npt.NDArray[np.float32]:
    check(radiometry, raster.values[raster.valid], where=where, fix=fix)
    unit = radiometry.to_unit(raster.values)
    unit[~raster.valid] = -1
    return unit
