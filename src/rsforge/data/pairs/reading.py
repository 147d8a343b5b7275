"""The pixels of pairs, in [-1, 1], by a radiometry that is settled once and enforced at every opening."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.io import rasters
from rsforge.data.io.dataset_card import CARD, read_card
from rsforge.data.io.georeference import apart
from rsforge.data.io.image_reader import UnreadableError, unreadable
from rsforge.data.pairs.index import Pair, PairIndex
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry, Unit, check, extent, settle
from rsforge.errors import RsforgeError

Values = npt.NDArray[np.float32]

_SAMPLED = 16


def radiometry_of(
    index: PairIndex, unit: Unit | Literal["auto"] = "auto", clip: tuple[float, float] | None = None
) -> tuple[Radiometry, str]:
    """The radiometry of a set's SAR images: declared, else that of its card, else inferred from some; and a sentence.

    RSF-D002 when none of those looked at can be read, RSF-D006 for a damaged card, RSF-D010 when no unit fits.
    """
    return radiometry_of_files(index.root, [pair.sar for pair in index.pairs], unit, clip)


def radiometry_of_files(
    root: Path, files: Sequence[Path], unit: Unit | Literal["auto"] = "auto", clip: tuple[float, float] | None = None
) -> tuple[Radiometry, str]:
    """``radiometry_of`` the SAR images ``files`` of the set at ``root``."""
    card = read_card(root)
    if unit == "auto" and clip is None and "radiometry" in card:
        stored = Radiometry.from_dict(card["radiometry"], where=str(root / CARD))
        return stored, f"{stored.unit} kept from {stored.low:g} to {stored.high:g}, as {CARD} says"
    chosen = np.linspace(0, len(files) - 1, min(_SAMPLED, len(files))).astype(int)
    samples, failures = [], []
    for path in (files[k] for k in chosen):
        try:
            raster = _readable(path)
            samples.append(grey_of_rgb(raster.values)[raster.valid])
        except RsforgeError as error:
            failures.append(error)
    if not samples:
        raise failures[0]
    return settle(unit, clip, str(samples[0].dtype), *extent(samples))


def open_pair(
    pair: Pair, radiometry: Radiometry, *, optical: Radiometry = EIGHT_BIT, allow_gray_optical: bool = False
) -> tuple[Values, Values]:
    """SAR (H, W, C) and optical (H, W, 3), float32 in [-1, 1]; pixels without data are -1.

    RSF-D002 when one cannot be read, RSF-D009 when they differ in size or grid or the optical image has not three bands
    (one is repeated with ``allow_gray_optical``), RSF-D010 when values contradict their radiometry.
    """
    first, second = _readable(pair.sar), _readable(pair.optical)
    if reason := apart(first.info, second.info):
        raise RsforgeError("RSF-D009", f"the images of {pair.name} do not fit: {reason}", where=str(pair.optical))
    colours = _colours(second, optical, allow_gray_optical)
    return _scaled(first, grey_of_rgb(first.values), radiometry), colours


def open_sar(path: Path, radiometry: Radiometry) -> Values:
    """The SAR image of ``open_pair`` alone."""
    raster = _readable(path)
    return _scaled(raster, grey_of_rgb(raster.values), radiometry)


def open_optical(path: Path, *, optical: Radiometry = EIGHT_BIT, allow_gray_optical: bool = False) -> Values:
    """The optical image of ``open_pair`` alone."""
    return _colours(_readable(path), optical, allow_gray_optical)


def grey_of_rgb(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """SAR values (H, W, C) as networks are shown them: 8-bit colours become grey (H, W, 1) by ITU-R BT.601 luma."""
    if values.dtype != np.uint8 or values.shape[-1] != 3:
        return values
    return np.asarray(Image.fromarray(values).convert("L"))[..., None]


def _readable(path: Path) -> rasters.Raster:
    try:
        return rasters.read(path)
    except UnreadableError as reason:
        raise unreadable(path, str(reason)) from None


def _colours(raster: rasters.Raster, optical: Radiometry, allow_gray: bool) -> Values:
    bands, path = raster.info.bands, raster.info.path
    if bands != 3 and not (bands == 1 and allow_gray):
        fix = "accept grey ones with --allow-gray-optical" if bands == 1 else "keep red, green and blue"
        what = f"the optical image {path.name} has {bands} band{'s' * (bands != 1)}, not three"
        raise RsforgeError("RSF-D009", what, where=str(path), fix=fix)
    colours = _scaled(raster, raster.values, optical, "save optical images as red, green and blue of 8 bits")
    return np.repeat(colours, 3 // bands, axis=-1)


def _scaled(raster: rasters.Raster, values: npt.NDArray[Any], radiometry: Radiometry, fix: str = "") -> Values:
    check(radiometry, values[raster.valid], where=str(raster.info.path), fix=fix)
    unit = radiometry.to_unit(values)
    unit[~raster.valid] = -1
    return unit
