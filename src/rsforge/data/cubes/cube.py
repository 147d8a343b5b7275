"""An open hyperspectral cube: its metadata and its windows of pixels, whatever the format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.cube_headers.meaning import BandMeanings
from rsforge.data.cubes.empty_spectra import EvenSpectra, find_empty_spectra, find_same_spectra, list_samples
from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

Array = npt.NDArray[Any]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
WindowData = tuple[Array, Mask | None]

FILLS = (-9999.0, -32768.0)  # usual nodata values, which many files do not declare
AXES = ("first", "middle", "last")
LARGE = 1 << 30
MAX_PACKED = 1032  # deflate packs at most 1032 bytes into one


@dataclass(frozen=True, kw_only=True)
class Cube:
    """An open cube; ``fetch`` returns a window ``(h, w, B)`` as stored and, where the file masks pixels, its mask.

    ``meanings`` are those of its bands. ``notes`` say what else was inferred. Without a declared fill value those of
    ``FILLS`` are taken as such; ``assumed_nodata`` is the set of those that were met. ``fill`` is a value, stored
    or scaled, that makes a pixel invalid where all bands have it, as a stored 0 does in any cube of some bands;
    ``empty_spectra`` counts such pixels by value. The file is closed by ``close`` or the end of a ``with`` block.
    """

    path: Path
    height: int
    width: int
    bands: int
    dtype: str
    fetch: Callable[[Window], WindowData]
    meanings: BandMeanings
    fill: float | None = None
    assumed_nodata: set[float] = field(default_factory=set)
    empty_spectra: Counter[float] = field(default_factory=Counter)
    grid: Grid | None = None
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)

    @property
    def wavelength_nm(self) -> F64 | None:
        return self.meanings.wavelength_nm

    @property
    def fwhm_nm(self) -> F64 | None:
        return self.meanings.fwhm_nm

    @property
    def good_bands(self) -> Mask:
        return self.meanings.good

    @property
    def unit(self) -> str:
        return self.meanings.unit

    def __enter__(self) -> Cube:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, window: Window, keep: Mask | None = None) -> tuple[F32, Mask]:
        """Values ``(h, w, kept)`` of the bands ``keep``, all when absent, and the pixels ``(h, w)`` valid in each.

        Nodata and non-finite values make a pixel invalid, and so does one value in every band
        (``find_empty_spectra``). A window out of the cube raises IndexError, damage ``UnreadableError``.
        """
        values, valid = self._read(window, keep)
        everywhere: Mask = np.all(valid, axis=2)
        return values, everywhere

    def select_bands(self, dropped_nm: Sequence[tuple[float, float]]) -> Mask:
        """Bands ``(B,)`` that are good, not empty, and lie in none of the closed ranges ``dropped_nm``."""
        keep = self.good_bands & ~self.find_empty_bands()
        if self.wavelength_nm is not None:
            for low, high in dropped_nm:
                keep &= (self.wavelength_nm < low) | (self.wavelength_nm > high)
        return keep

    def find_empty_bands(self) -> Mask:
        """Bands ``(B,)`` without a valid value in up to 16 windows of 32 x 32 pixels spread over the cube."""
        filled = np.zeros(self.bands, bool)
        for window in list_samples(self.height, self.width):
            _, valid = self._read(window, None)
            filled |= valid.any(axis=(0, 1))
        # Where every band is empty the windows hold no data; no band is absent for it.
        return ~filled & filled.any()

    def find_undeclared_fill(self) -> float | None:
        """A stored value other than 0 that some valid pixels of samples have in every good band; None for none."""
        even = EvenSpectra()
        for window in list_samples(self.height, self.width):
            stored, mask = self.fetch(window)
            stored = stored[..., self.good_bands]
            valid = self._mask_nodata(stored).all(axis=2) if mask is None else mask
            even.add(stored[valid][:, None])
        return even.find_fill()

    def _read(self, window: Window, keep: Mask | None) -> tuple[F32, Mask]:
        row, col, height, width = window
        if min(window) < 0 or row + height > self.height or col + width > self.width:
            raise IndexError(f"{window} of a cube of {self.height} x {self.width} pixels")
        stored, mask = self.fetch(window)
        selection = slice(None) if keep is None else keep
        stored = stored[..., selection]
        # What does not fit into float32 becomes infinite, and invalid.
        with np.errstate(over="ignore", invalid="ignore"):
            valid = self._mask_nodata(stored)
            # Indexing by a mask has copied already; all bands may be a view of an array in memory.
            values = stored.astype(np.float32, copy=keep is None)
            if self.meanings.scale is not None:
                values *= self.meanings.scale[selection].astype(np.float32)
            if self.meanings.offset is not None:
                values += self.meanings.offset[selection].astype(np.float32)
        valid &= np.isfinite(values)
        empty = find_empty_spectra(stored, self.fill) or {}
        if self.fill is not None and (self.meanings.scale is not None or self.meanings.offset is not None):
            # Patches hold values, and whoever finds one in them does not know what the cube stores.
            same = find_same_spectra(values, self.fill)
            empty[self.fill] = empty[self.fill] | same if self.fill in empty else same
        if empty:
            for value, pixels in empty.items():
                self.empty_spectra[value] += int((pixels & valid.all(axis=2)).sum())
                valid &= ~pixels[..., None]
        if mask is not None:
            valid &= mask[..., None]
        return values, valid

    def _mask_nodata(self, stored: Array) -> Mask:
        """Which stored values are not nodata."""
        valid = np.ones(stored.shape, bool)
        declared = self.meanings.fill
        for value in FILLS if declared is None else (declared,):
            if fits_dtype(value, stored.dtype):
                # Compared in the stored type: -3.4e38 parsed from text is not the float32 of that name.
                empty = stored == stored.dtype.type(value)
                if declared is None and empty.any():
                    self.assumed_nodata.add(value)
                valid &= ~empty
        if self.meanings.valid_range is not None:
            low, high = self.meanings.valid_range
            valid &= (stored >= low) & (stored <= high)
        return valid


def fits_dtype(value: float, dtype: np.dtype[Any]) -> bool:
    """Whether values of a type can be equal to ``value``."""
    if dtype.kind == "f" or not np.isfinite(value):
        return dtype.kind == "f"
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max


def band_axis_last(
    shape: tuple[int, ...], count: int | None, *, reverse: bool = False, axis: str | None = None, sure: bool = False
) -> tuple[int, int, int]:
    """The axes of an array that are rows, columns and bands: bands are ``axis`` (first, middle or last), else the axis
    of ``count``, the number of wavelengths, else the last one.

    ``reverse`` is for arrays stored with their axes reversed. ``UnreadableError`` unless there are three axes, and
    where several are as long as the wavelengths, unless it is ``sure`` that the last of these is that of bands.
    """
    if len(shape) != 3:
        raise UnreadableError(f"an array of shape {tuple(shape)} is no cube")
    order = [2, 1, 0] if reverse else [0, 1, 2]
    equal = [place for place in reversed(order) if shape[place] == count]
    if axis is not None:
        bands = order[AXES.index(axis)]
    elif len(equal) > 1 and not sure:
        shown = " x ".join(str(side) for side in shape)
        what = f"{len(equal)} axes of {shown} values are as long as the {count} wavelengths"
        raise UnreadableError(what, fix=f"say which is that of the bands with --bands-axis {'|'.join(AXES)}")
    else:
        bands = equal[0] if equal else order[2]
    rows, cols = (place for place in order if place != bands)
    return rows, cols, bands


def require_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """``shape`` as rows, columns and bands; ``UnreadableError`` unless all three are at least 1."""
    if len(shape) != 3 or min(shape) < 1:
        raise UnreadableError(f"a cube of shape {tuple(shape)} has no pixels")
    return shape[0], shape[1], shape[2]


def require_stored(declared: int, stored: int) -> None:
    """``UnreadableError`` when more than 1 GiB is declared and too little stored for any compression."""
    if declared > LARGE and stored * MAX_PACKED < declared:
        raise UnreadableError(f"it declares {declared:,} bytes of values and holds {stored:,}")
