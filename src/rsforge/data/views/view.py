"""A view of images: which bands are read, in which order, what counts as no data, and what becomes black and white.

A view is settled once for a data set and stored with it and with what was trained on it. Training, audit, statistics
and inference read images through it, so that all see the same values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rsforge.data.bands.meaning import COLOURS, NO_BACKSCATTER, POLARISATIONS, find_role, role_of_name, says_something
from rsforge.data.files.stack_paths import is_stack
from rsforge.data.io.band_choice import describe_bands, find_bands, pick_bands
from rsforge.data.io.georeference import Mask, OpenRaster, Raster, RasterInfo
from rsforge.data.io.geotiff import Alpha
from rsforge.data.io.image_reader import UnreadableError, blacken
from rsforge.data.io.rasters import open_raster
from rsforge.data.io.windows import Window
from rsforge.data.views.advice import (
    GIVE_RANGE,
    NAME_BANDS,
    advise_backscatter,
    advise_colours,
    advise_missing,
    advise_whole_set,
)
from rsforge.errors import RsforgeError
from rsforge.wording import count_noun

Modality = Literal["sar", "optical"]


class BandsError(UnreadableError):
    """Why the bands that are asked for are not in a file; ``error`` says it to whoever asked for them by an option."""

    def __init__(self, reason: str, *, fix: str = "", error: RsforgeError | None = None) -> None:
        super().__init__(reason, fix=fix)
        self.error = error


class RangeError(UnreadableError):
    """Why the values of a file cannot be shown without a declared range."""


@dataclass(frozen=True)
class View:
    """What of an image is read.

    ``bands`` are roles, names, numbers or wavelengths as for ``find_bands``; without any, colours are read as red,
    green and blue, and polarisations as VV, VH, HH, HV, where the file names them. ``span`` are the values that become
    black and white, in the unit of the file; None for 8 bits. Pixels whose bands all equal ``fill`` hold no data.
    ``alpha`` says whether a band called alpha is a mask. With ``as_stored`` no band is looked for by its name.
    """

    bands: tuple[str, ...] = ()
    span: tuple[float, float] | None = None
    fill: float | None = None
    alpha: Alpha = "auto"
    as_stored: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The view as stored in ``dataset.json`` and in checkpoints: what it says beyond the defaults."""
        values = {name: value for name, value in asdict(self).items() if value != getattr(PLAIN, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, stored: Any, *, where: str = "") -> View:
        """The view stored in a card or checkpoint; RSF-D006 when it is damaged."""
        try:
            values = dict(stored)
            values["bands"] = tuple(str(band) for band in values.get("bands", ()))
            if values.get("span") is not None:
                low, high = values["span"]
                values["span"] = (float(low), float(high))
            return cls(**values)
        except (TypeError, ValueError):
            found = repr(stored)[:200]
            raise RsforgeError("RSF-D006", "the stored view of images is damaged", where=where, found=found) from None


PLAIN = View()


@dataclass(frozen=True)
class PairViews:
    """The views of the two images of a pair."""

    sar: View = PLAIN
    optical: View = PLAIN

    def as_dict(self) -> dict[str, Any]:
        """Both views as stored."""
        return {"sar": self.sar.as_dict(), "optical": self.optical.as_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any], *, where: str = "") -> PairViews:
        """The stored views; RSF-D006 when they are damaged."""
        return cls(*(View.from_dict(stored.get(side, {}), where=where) for side in ("sar", "optical")))


@contextmanager
def open_stored(path: Path, view: View, modality: Modality, onto: RasterInfo | None = None) -> Iterator[OpenRaster]:
    """Open an image to copy windows of it: values as they are stored, of the bands and with the fill of ``view``.

    Bands stay as they are stored where none are asked for. ``onto`` is an image onto whose grid it is resampled by its
    control points. ``UnreadableError`` and ``BandsError`` as from ``open_view``.
    """
    with open_raster(path, alpha=view.alpha, onto=onto) as raster:
        chosen = raster
        if view.bands:
            chosen = pick_bands(raster, choose_positions(raster.info, view, modality))
        elif raster.info.spare_alpha and raster.metadata is None:  # pictures have no fifth band for what is valid
            chosen = pick_bands(raster, range(raster.info.bands - 1))
        yield _mask_fill(chosen, view.fill)


@contextmanager
def open_view(path: Path, view: View, modality: Modality, onto: RasterInfo | None = None) -> Iterator[OpenRaster]:
    """Open an image to read windows of its values as ``view`` says: in order, scaled to their unit, fill masked.

    ``UnreadableError`` as from ``open_raster``, ``BandsError`` for bands that are not there.
    """
    with open_raster(path, alpha=view.alpha, onto=onto) as raster:
        chosen = pick_bands(raster, choose_positions(raster.info, view, modality))
        scaled = chosen.info.dtype != "uint8" or modality == "sar" or view.span is not None
        masked = _mask_fill(chosen, view.fill)
        yield _scale_values(masked) if scaled else masked


def read_view(path: Path, view: View, modality: Modality) -> Raster:
    """All pixels of an image as ``open_view`` reads them."""
    with open_view(path, view, modality) as raster:
        return raster.read(raster.info.whole)


def choose_positions(info: RasterInfo, view: View, modality: Modality) -> list[int]:
    """The positions, from 0, of the bands of an image that ``view`` reads; ``BandsError`` where they are not there."""
    if view.as_stored:
        return list(range(info.bands - info.spare_alpha))
    try:
        choose = _choose_colours if modality == "optical" else _choose_backscatter
        return choose(info, view.bands)
    except RsforgeError as error:
        reason = f"{error.what.replace(str(info.path), 'it')} ({error.found})"
        if info.left_out:
            reason += f"; {', '.join(info.left_out)} of its files lie on another grid: resample them to use them"
        fix = advise_missing(info) if modality == "optical" else advise_backscatter(info, view.bands)
        if whole := advise_whole_set(info):
            fix = error.fix = whole
        raise BandsError(reason, fix=fix, error=error) from None


def _choose_colours(info: RasterInfo, wanted: Sequence[str]) -> list[int]:
    """What is wanted; else red, green and blue by their roles, else the bands as stored if they are three or one."""
    if wanted and tuple(wanted) != COLOURS:
        positions = find_bands(info.path, wanted, info.meanings)
        if len(positions) not in (1, 3):
            raise BandsError(f"--bands names {count_noun(len(positions), 'band')}, not three", fix=NAME_BANDS)
        return positions
    found = [find_role(role, info.meanings) for role in COLOURS]
    if all(len(positions) == 1 for positions in found):
        return [positions[0] for positions in found]
    stored = list(range(info.bands - info.spare_alpha))
    if len(stored) == 1 or (len(stored) == len(COLOURS) and not is_stack(info.path)):  # files have no order
        return stored
    reason = f"it has {describe_bands(info.meanings)}, and red, green and blue are not known among them"
    raise BandsError(reason, fix=advise_colours(info))


def find_other_names(info: RasterInfo, view: View) -> str:
    """What three bands are called that are read as colours although their names say otherwise; empty for no such."""
    if view.bands or view.as_stored or info.bands - info.spare_alpha != len(COLOURS):
        return ""
    meanings = info.meanings[: len(COLOURS)]
    if {meaning.role for meaning in meanings} == set(COLOURS) and all(one.wavelength_nm for one in meanings):
        return ""  # designations that are those of a sensor's colours
    names = [meaning.name for meaning in meanings]
    # One name for all of them tells none from another.
    others = len(set(names)) > 1 and any(says_something(name) and role_of_name(name) not in COLOURS for name in names)
    return ", ".join(name or "-" for name in names) if others else ""


def _choose_backscatter(info: RasterInfo, wanted: Sequence[str]) -> list[int]:
    """What is wanted; else the polarisations in the order VV, VH, HH, HV, or all bands as stored where none is named.

    Bands that are named as something else, as angles are, are left aside.
    """
    roles = [meaning.role for meaning in info.meanings]
    named = [k for k, role in enumerate(roles) if role in POLARISATIONS]
    kept = [k for k in range(info.bands - info.spare_alpha) if roles[k] != NO_BACKSCATTER] or list(range(info.bands))
    if wanted:
        by_role = set(wanted) <= set(POLARISATIONS)
        if by_role and not named and len(kept) == len(wanted):
            return kept
        return find_bands(info.path, wanted, info.meanings)
    if not named:
        return kept
    if len({roles[k] for k in named}) < len(named):
        return named
    return sorted(named, key=lambda k: POLARISATIONS.index(roles[k]))


def _find_factors(info: RasterInfo) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """The scales and offsets of the bands; None where they leave values as they are."""
    scales = np.array([meaning.scale for meaning in info.meanings], np.float64)
    offsets = np.array([meaning.offset for meaning in info.meanings], np.float64)
    return None if np.all(scales == 1) and np.all(offsets == 0) else (scales, offsets)


def _scale_values(raster: OpenRaster) -> OpenRaster:
    """The raster with its values in their unit, as float32, where its metadata declare scales or offsets."""
    factors = _find_factors(raster.info)
    if factors is None:
        return raster
    scales, offsets = factors
    meanings = tuple(replace(meaning, scale=1.0, offset=0.0) for meaning in raster.info.meanings)
    info = replace(raster.info, dtype="float32", meanings=meanings)

    def read(window: Window) -> Raster:
        stored = raster.read(window)
        return Raster((stored.values * scales + offsets).astype(np.float32), stored.valid, info)

    return OpenRaster(info, read, raster.metadata)


def _mask_fill(raster: OpenRaster, fill: float | None) -> OpenRaster:
    """The raster whose pixels of the value ``fill``, in their unit, hold no data."""
    if fill is None:
        return raster
    factors = _find_factors(raster.info)

    def read(window: Window) -> Raster:
        whole = raster.read(window)
        values = whole.values if factors is None else (whole.values * factors[0] + factors[1]).astype(np.float32)
        return Raster(whole.values, whole.valid & ~equals_fill(values, fill), raster.info)

    return OpenRaster(raster.info, read, raster.metadata)


def equals_fill(values: npt.NDArray[Any], fill: float) -> Mask:
    """Where all bands of ``values (H, W, C)`` have the value ``fill``, to the precision of their dtype."""
    if np.isnan(fill):
        return np.asarray(np.isnan(values).all(axis=-1))
    if values.dtype.kind == "f":
        return np.asarray(np.isclose(values, fill, rtol=1e-6, atol=1e-9).all(axis=-1))
    return np.asarray((values == fill).all(axis=-1))


def check_span(info: RasterInfo, view: View) -> None:
    """``RangeError`` for values of more than 8 bits whose range nobody declares: few sensors fill all of them."""
    if view.span is None and info.dtype != "uint8":
        raise RangeError(f"its values are {info.dtype}, whose range is not declared", fix=GIVE_RANGE)


def to_bytes(raster: Raster, view: View) -> npt.NDArray[np.uint8]:
    """The values ``(H, W, C)`` of a view as 8 bits: those of ``span`` become 0 and 255, pixels without data 0.

    ``RangeError`` as from ``check_span``.
    """
    check_span(raster.info, view)
    if view.span is None:
        return blacken(raster.values, raster.valid)
    low, high = view.span
    unit = np.nan_to_num((raster.values.astype(np.float32) - low) / (high - low), nan=0.0, posinf=1.0, neginf=0.0)
    return blacken(np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8), raster.valid)
