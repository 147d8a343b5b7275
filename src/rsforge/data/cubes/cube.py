"""An open hyperspectral cube: its metadata and its windows of pixels, whatever the format."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.io.georeference import Grid
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window

Array = npt.NDArray[Any]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
WindowData = tuple[Array, Mask | None]

FILLS = (-9999.0, -32768.0)  # usual nodata values, which many files do not declare
LARGE = 1 << 30
MAX_PACKED = 1032  # deflate packs at most 1032 bytes into one


@dataclass(frozen=True, kw_only=True)
class Cube:
    """An open cube; ``fetch`` returns a window ``(h, w, B)`` as stored and, where the file masks pixels, its mask.

    Values are stored ones times ``gain (B,)`` plus ``offset (B,)``, divided by ``scale``. ``good_bands (B,)`` is the
    file's own judgement, all true where it has none; ``notes`` say what was inferred. Without a declared ``nodata``
    the values of ``FILLS`` are taken as such; ``filled`` is the set of those that were met. The file is closed by
    ``close`` or the end of a ``with`` block.
    """

    path: Path
    height: int
    width: int
    bands: int
    dtype: str
    fetch: Callable[[Window], WindowData]
    wavelength_nm: F64 | None = None
    fwhm_nm: F64 | None = None
    good_bands: Mask
    nodata: float | None = None
    assumed_nodata: set[float] = field(default_factory=set)
    gain: F64 | None = None
    offset: F64 | None = None
    scale: float = 1.0
    unit: str = ""
    grid: Grid | None = None
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)

    def __enter__(self) -> Cube:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, window: Window, keep: Mask | None = None) -> tuple[F32, Mask]:
        """Values ``(h, w, kept)`` of the bands ``keep``, all when absent, and the pixels ``(h, w)`` valid in each.

        Nodata and non-finite values make a pixel invalid; a window out of the cube raises IndexError, damage
        ``UnreadableError``.
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
        size = min(32, self.height, self.width)
        rows = sorted({int(share * (self.height - size)) for share in np.linspace(0, 1, 4)})
        cols = sorted({int(share * (self.width - size)) for share in np.linspace(0, 1, 4)})
        filled = np.zeros(self.bands, bool)
        for row, col in itertools.product(rows, cols):
            _, valid = self._read(Window(row, col, size, size), None)
            filled |= valid.any(axis=(0, 1))
        # Where every band is empty the windows hold no data; no band is absent for it.
        return ~filled & filled.any()

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
            if self.gain is not None:
                values *= self.gain[selection].astype(np.float32)
            if self.offset is not None:
                values += self.offset[selection].astype(np.float32)
            if self.scale != 1.0:
                values /= np.float32(self.scale)
        valid &= np.isfinite(values)
        if mask is not None:
            valid &= mask[..., None]
        return values, valid

    def _mask_nodata(self, stored: Array) -> Mask:
        """Which stored values are not nodata."""
        valid = np.ones(stored.shape, bool)
        for value in FILLS if self.nodata is None else (self.nodata,):
            if _fits_dtype(value, stored.dtype):
                # Compared in the stored type: -3.4e38 parsed from text is not the float32 of that name.
                empty = stored == stored.dtype.type(value)
                if self.nodata is None and empty.any():
                    self.assumed_nodata.add(value)
                valid &= ~empty
        return valid


def _fits_dtype(value: float, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "f" or not np.isfinite(value):
        return dtype.kind == "f"
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max


def band_axis_last(shape: tuple[int, ...], wavelength_nm: F64 | None, *, reverse: bool = False) -> tuple[int, int, int]:
    """The axes of an array that are rows, columns and bands: bands are as long as the wavelengths, else the last axis.

    ``reverse`` is for arrays stored with their axes reversed. ``UnreadableError`` unless there are three axes.
    """
    if len(shape) != 3:
        raise UnreadableError(f"an array of shape {tuple(shape)} is no cube")
    order = [2, 1, 0] if reverse else [0, 1, 2]
    count = shape[order[2]] if wavelength_nm is None else len(wavelength_nm)
    bands = next((axis for axis in reversed(order) if shape[axis] == count), order[2])
    rows, cols = (axis for axis in order if axis != bands)
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
