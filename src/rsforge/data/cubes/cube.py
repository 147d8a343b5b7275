"""A hyperspectral cube: what its file says of it, and its windows of pixels."""

from __future__ import annotations

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
Fetched = tuple[Array, Mask | None]

FILLS = (-9999.0, -32768.0)  # what files leave where nothing was seen, and often do not say
LARGE, MAX_PACKED = 1 << 30, 1032  # deflate packs no more than 1032 bytes into one


@dataclass(frozen=True, kw_only=True)
class Cube:
    """An open cube; ``fetch`` gives a window ``(h, w, B)`` as stored and, where the file masks pixels, its mask.

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
    fetch: Callable[[Window], Fetched]
    wavelength_nm: F64 | None = None
    fwhm_nm: F64 | None = None
    good_bands: Mask
    nodata: float | None = None
    filled: set[float] = field(default_factory=set)
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

    def kept_bands(self, dropped_nm: Sequence[tuple[float, float]]) -> Mask:
        """Bands ``(B,)`` that are good, hold values, and lie in none of the closed ranges, in nm."""
        keep = self.good_bands & ~self.empty_bands()
        if self.wavelength_nm is not None:
            for low, high in dropped_nm:
                keep &= (self.wavelength_nm < low) | (self.wavelength_nm > high)
        return keep

    def empty_bands(self) -> Mask:
        """Bands ``(B,)`` without one valid value in up to 16 windows of 32 pixels spread over the cube."""
        side = min(32, self.height, self.width)
        spots = np.linspace(0, 1, 4)
        seen = np.zeros(self.bands, bool)
        for row in sorted({int(s * (self.height - side)) for s in spots}):
            for col in sorted({int(s * (self.width - side)) for s in spots}):
                seen |= self._read(Window(row, col, side, side), None)[1].any(axis=(0, 1))
        # Where every band is empty, the place is, not the bands.
        return ~seen & seen.any()

    def _read(self, window: Window, keep: Mask | None) -> tuple[F32, Mask]:
        row, col, height, width = window
        if min(window) < 0 or row + height > self.height or col + width > self.width:
            raise IndexError(f"{window} of a cube of {self.height} x {self.width} pixels")
        stored, mask = self.fetch(window)
        chosen = slice(None) if keep is None else keep
        stored = stored[..., chosen]
        # What does not fit into float32 becomes infinite, and invalid.
        with np.errstate(over="ignore", invalid="ignore"):
            valid = self._filled(stored)
            # Chosen bands are a copy already; all bands may be a view of an array in memory.
            values = stored.astype(np.float32, copy=keep is None)
            if self.gain is not None:
                values *= self.gain[chosen].astype(np.float32)
            if self.offset is not None:
                values += self.offset[chosen].astype(np.float32)
            if self.scale != 1.0:
                values /= np.float32(self.scale)
        valid &= np.isfinite(values)
        return values, valid if mask is None else valid & mask[..., None]

    def _filled(self, stored: Array) -> Mask:
        """Which stored values are not nodata."""
        valid = np.ones(stored.shape, bool)
        for value in FILLS if self.nodata is None else (self.nodata,):
            if _fits(value, stored.dtype):
                # Compared in the stored type: -3.4e38 as text is not the float32 it was.
                empty = stored == stored.dtype.type(value)
                if self.nodata is None and empty.any():
                    self.filled.add(value)
                valid &= ~empty
        return valid


def _fits(value: float, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "f" or not np.isfinite(value):
        return dtype.kind == "f"
    limits = np.iinfo(dtype)
    return value == int(value) and limits.min <= value <= limits.max


def band_axis_last(shape: tuple[int, ...], wavelength_nm: F64 | None, *, reverse: bool = False) -> tuple[int, int, int]:
    """Which axes of an array are rows, columns, bands: the bands are as many as the wavelengths, else the last axis.

    Axes are taken in ``reverse`` where they were stored so. Other than three raise ``UnreadableError``.
    """
    if len(shape) != 3:
        raise UnreadableError(f"an array of shape {tuple(shape)} is no cube")
    order = [2, 1, 0] if reverse else [0, 1, 2]
    count = shape[order[2]] if wavelength_nm is None else len(wavelength_nm)
    bands = next((axis for axis in reversed(order) if shape[axis] == count), order[2])
    rows, cols = (axis for axis in order if axis != bands)
    return rows, cols, bands


def checked_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Rows, columns and bands when all are at least 1, else ``UnreadableError``."""
    if len(shape) != 3 or min(shape) < 1:
        raise UnreadableError(f"a cube of shape {tuple(shape)} has no pixels")
    return shape[0], shape[1], shape[2]


def require_held(declared: int, stored: int) -> None:
    """``UnreadableError`` when over 1 GiB is declared of which less is stored than any packing of data explains."""
    if declared > LARGE and stored * MAX_PACKED < declared:
        raise UnreadableError(f"it declares {declared:,} bytes of values and holds {stored:,}")
