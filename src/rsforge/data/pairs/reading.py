"""The pixels of pairs in [-1, 1], by a radiometry that is determined once and checked whenever an image is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from rsforge.data.io import rasters
from rsforge.data.io.dataset_card import CARD, read_card
from rsforge.data.io.georeference import Mask, find_difference
from rsforge.data.io.image_reader import UnreadableError, unreadable_error
from rsforge.data.pairs.index import PairIndex
from rsforge.data.pairs.pair import Pair
from rsforge.data.sar.radiometry import EIGHT_BIT, Radiometry, Unit, check_values, settle_radiometry, value_extent
from rsforge.data.views.advice import NAME_BANDS
from rsforge.data.views.view import (
    PLAIN,
    BandsError,
    Modality,
    RangeError,
    View,
    read_view,
    to_bytes,
)
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

Values = npt.NDArray[np.float32]

_SAMPLED = 16
_MODALITY_NAMES: dict[Modality, str] = {"sar": "SAR", "optical": "optical"}


def find_radiometry(
    index: PairIndex, unit: Unit | Literal["auto"] = "auto", clip: tuple[float, float] | None = None
) -> tuple[Radiometry, str]:
    """The radiometry of the SAR images: declared, else that of the card, else inferred from samples; and a sentence.

    RSF-D002 when no sample can be read, RSF-D006 for a damaged card, RSF-D010 when no unit fits.
    """
    view = index.pairs[0].views.sar if index.pairs else PLAIN
    return find_radiometry_of_files(index.root, [pair.sar for pair in index.pairs], unit, clip, view)


def find_radiometry_of_files(
    root: Path,
    files: Sequence[Path],
    unit: Unit | Literal["auto"] = "auto",
    clip: tuple[float, float] | None = None,
    view: View = PLAIN,
) -> tuple[Radiometry, str]:
    """``find_radiometry`` for the SAR images ``files`` of the data set at ``root``, read by ``view``."""
    card = read_card(root)
    if unit == "auto" and clip is None and "radiometry" in card:
        stored = Radiometry.from_dict(card["radiometry"], where=str(root / CARD))
        return stored, f"{stored.unit} kept from {stored.low:g} to {stored.high:g}, as {CARD} says"
    spread = np.linspace(0, len(files) - 1, min(_SAMPLED, len(files))).astype(int)
    samples, units, failures = [], set(), []
    for k in spread:
        try:
            raster = _read_image(files[k], view, "sar")
            samples.append(rgb_to_grey(raster.values)[raster.valid])
            units |= {meaning.unit.lower() for meaning in raster.info.meanings}
        except RsforgeError as error:
            failures.append(error)
    if not samples:
        raise failures[0]
    low, high = value_extent(samples)
    if unit == "auto" and units == {"db"} and samples[0].dtype.kind == "f":
        radiometry, _ = settle_radiometry("db", clip, str(samples[0].dtype), low, high)
        return radiometry, f"db, as the files say; kept from {radiometry.low:g} to {radiometry.high:g}"
    return settle_radiometry(unit, clip, str(samples[0].dtype), low, high)


class OpenedPair(NamedTuple):
    """The values of both images of a pair, and whether some pixels of each hold no data."""

    sar: Values
    optical: Values
    gaps: tuple[bool, bool]


def open_pair(pair: Pair, radiometry: Radiometry, *, allow_gray_optical: bool = False) -> OpenedPair:
    """SAR ``(H, W, C)`` and optical ``(H, W, 3)``, float32 in [-1, 1], read by the pair's views; invalid pixels are -1.

    RSF-D002 when one cannot be read or no pixel holds data in both, RSF-D009 when they differ in size or grid or the
    optical image does not have three bands (``allow_gray_optical`` repeats a single one), RSF-D010 when values
    contradict their radiometry.
    """
    views = pair.views
    sar_raster = _read_image(pair.sar, views.sar, "sar")
    optical_raster = _read_image(pair.optical, views.optical, "optical")
    reason = find_difference(sar_raster.info, optical_raster.info)
    if reason:
        raise RsforgeError("RSF-D009", f"the images of {pair.name} do not fit: {reason}", where=str(pair.optical))
    colours = _scale_optical(optical_raster, views.optical, allow_gray_optical)
    sar = _scale_to_unit(sar_raster, rgb_to_grey(sar_raster.values), radiometry)
    if not (sar_raster.valid & optical_raster.valid).any():
        raise RsforgeError("RSF-D002", f"no pixel of {pair.name} holds data in both of its images", where=str(pair.sar))
    return OpenedPair(sar, colours, (not sar_raster.valid.all(), not optical_raster.valid.all()))


def open_sar(path: Path, radiometry: Radiometry, view: View = PLAIN) -> tuple[Values, Mask]:
    """The SAR image of ``open_pair`` alone, and where it holds data ``(H, W)``."""
    raster = _read_image(path, view, "sar")
    return _scale_to_unit(raster, rgb_to_grey(raster.values), radiometry), raster.valid


def open_optical(path: Path, view: View = PLAIN, *, allow_gray_optical: bool = False) -> Values:
    """The optical image of ``open_pair`` alone."""
    return open_masked_optical(path, view, allow_gray_optical=allow_gray_optical)[0]


def open_masked_optical(path: Path, view: View = PLAIN, *, allow_gray_optical: bool = False) -> tuple[Values, Mask]:
    """The optical image of ``open_pair`` alone, and where it holds data ``(H, W)``."""
    raster = _read_image(path, view, "optical")
    return _scale_optical(raster, view, allow_gray_optical), raster.valid


def open_valid(path: Path, view: View, modality: Modality) -> Mask:
    """Where an image, read by ``view``, holds data ``(H, W)``."""
    return _read_image(path, view, modality).valid


def rgb_to_grey(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """SAR values ``(H, W, C)`` as networks get them: 8-bit colours become grey ``(H, W, 1)`` by ITU-R BT.601 luma."""
    if values.dtype != np.uint8 or values.shape[-1] != 3:
        return values
    return np.asarray(Image.fromarray(values).convert("L"))[..., None]


def _read_image(path: Path, view: View, modality: Modality) -> rasters.Raster:
    try:
        return read_view(path, view, modality)
    except BandsError as reason:
        what = f"the bands of the {_MODALITY_NAMES[modality]} image {path.name} cannot be told: {reason}"
        raise RsforgeError("RSF-D009", what, where=str(path), fix=reason.fix) from None
    except UnreadableError as reason:
        raise unreadable_error(path, str(reason), reason.fix) from None


def _scale_optical(raster: rasters.Raster, view: View, allow_gray: bool) -> Values:
    bands, path = raster.info.bands, raster.info.path
    if bands != 3 and not (bands == 1 and (allow_gray or view.bands)):
        fix = "accept grey ones with --allow-gray-optical" if bands == 1 else NAME_BANDS
        what = f"the optical image {path.name} has {count_noun(bands, 'band')}, not three"
        raise RsforgeError("RSF-D009", what, where=str(path), fix=fix)
    try:
        colours = to_bytes(raster, view)
    except RangeError as reason:
        what = f"the optical image {path.name} cannot be shown: {reason}"
        raise RsforgeError("RSF-D010", what, where=str(path), fix=reason.fix) from None
    return np.repeat(EIGHT_BIT.to_unit(colours), 3 // bands, axis=-1)


def _scale_to_unit(raster: rasters.Raster, values: npt.NDArray[Any], radiometry: Radiometry) -> Values:
    check_values(radiometry, values[raster.valid], where=str(raster.info.path))
    unit = radiometry.to_unit(values)
    unit[~raster.valid] = -1
    return unit
