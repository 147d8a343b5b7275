"""Windows of paired patches, read where they are asked for; each process opens a file once."""

from __future__ import annotations

import os
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F32, FILLS, Mask
from rsforge.data.cubes.empty_spectra import FEWEST_BANDS
from rsforge.data.cubes.patches import NATIVE, NATIVE_VALID
from rsforge.data.cubes.resample import coarse_count
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.data.spectra.patch_files import LANDSAT, SPECTRA, VALID, PatchRef, stamp_of
from rsforge.errors import RsforgeError

MOST_OPEN = 64


class PairedPixels(NamedTuple):
    """``landsat (h, w, K)`` and ``spectra (h, w, B)``, 0 where ``valid (h, w)`` is False.

    ``native (p, q, K)`` is Landsat at its own pixels, ``width`` as wide and from the same upper left corner, those that
    are whole in the window, NaN where it is not valid; both are None where the file has none. Of Landsat alone B is 0.
    """

    landsat: F32
    spectra: F32
    valid: Mask
    native: F32 | None = None
    width: Fraction | None = None


class PatchReader:
    """Reads windows of patches.

    Open files belong to the process that opened them: a copy, pickled or forked, opens its own. At most ``most_open``
    are open at a time.
    """

    def __init__(self, most_open: int = MOST_OPEN) -> None:
        self.most_open = most_open
        self._files: OrderedDict[Path, h5py.File] = OrderedDict()
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"most_open": self.most_open}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def close(self) -> None:
        """Close all files; reading opens them again."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def read(
        self, patch: PatchRef, window: Window | None = None, *, landsat_alone: bool = False, native: bool = False
    ) -> PairedPixels:
        """The window of a patch, all of it and Landsat's own pixels when absent; bands rise in wavelength.

        With ``native`` a window comes with Landsat's own pixels too, at whose edges it must begin.

        Where the file has no mask, pixels with a usual nodata value in any band are invalid, and spectra of zeros. With
        ``landsat_alone`` no spectrum is read, whatever is there. RSF-D008 for NaN and infinite values in valid pixels,
        for damage, and for a file that changed since it was found.
        """
        file = patch.file
        row, col, height, width = window or Window(0, 0, file.height, file.width)
        if min(row, col) < 0 or row + height > file.height or col + width > file.width:
            raise IndexError(f"{window} of a patch of {file.height} x {file.width} pixels")
        if native and (row % file.factor or col % file.factor):
            raise IndexError(f"a window at {row}, {col} begins within a pixel of Landsat, {file.factor} wide")
        cut = (patch.row, slice(row, row + height), slice(col, col + width))
        try:
            source = self._open(file.path, file.stamp)
            with hdf5_file.translate_errors("it cannot be decoded"):
                landsat = np.asarray(source[LANDSAT][cut], np.float32)
                spectra = np.empty((height, width, 0), np.float32)
                if not landsat_alone:
                    spectra = np.asarray(source[SPECTRA][cut], np.float32)
                    if file.spectrum.order is not None:
                        spectra = spectra[..., file.spectrum.order]
                valid = np.asarray(source[VALID][cut]) != 0 if file.has_mask else _find_valid(landsat, spectra)
                wanted = file.has_native and (native or not window)
                own, known = _read_native(source, patch, row, col, height, width) if wanted else (None, None)
            for name, values in ((LANDSAT, landsat), (SPECTRA, spectra)):
                _check_finite(patch, name, values, valid, row, col)
            if own is not None and known is not None:
                _check_finite(patch, NATIVE, own, known, 0, 0)
                own[~known] = np.nan
        except UnreadableError as reason:
            what = f"{file.name} cannot be used: {reason}"
            raise RsforgeError("RSF-D008", what, where=f"{file.path}#{patch.row}") from None
        if not valid.all():
            landsat[~valid] = 0
            spectra[~valid] = 0
        return PairedPixels(landsat, spectra, valid, own, None if own is None else file.factor)

    def _open(self, path: Path, stamp: tuple[int, int]) -> h5py.File:
        if self._process != os.getpid():
            # A forked copy shares the state of the library with its parent, not the right to use it.
            self._files = OrderedDict()
            self._process = os.getpid()
        if path not in self._files:
            if not path.is_file() or stamp_of(path) != stamp:
                raise UnreadableError("the file changed since it was first read")
            self._files[path] = hdf5_file.open_unmanaged(path)
            while len(self._files) > self.most_open:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(path)
        return self._files[path]


def _read_native(source: h5py.File, patch: PatchRef, row: int, col: int, height: int, width: int) -> tuple[F32, Mask]:
    """Landsat at its own pixels that are whole in a window, and where it is valid: by its mask, and where no band is a
    usual nodata value."""
    factor = patch.file.factor
    top, left = int(row / factor), int(col / factor)
    rows = slice(top, top + coarse_count(height, factor))
    cut = (patch.row, rows, slice(left, left + coarse_count(width, factor)))
    native = np.asarray(source[NATIVE][cut], np.float32)
    valid = _find_valid(native)
    if NATIVE_VALID in source:
        valid &= np.asarray(source[NATIVE_VALID][cut]) != 0
    return native, valid


def _find_valid(*images: F32) -> Mask:
    """Pixels of which no band is a usual nodata value, and not all of many bands are 0."""
    valid = np.ones(images[0].shape[:2], bool)
    for values in images:
        for fill in FILLS:
            valid &= ~np.any(values == np.float32(fill), axis=-1)
        if values.shape[-1] >= FEWEST_BANDS:
            valid &= values.any(axis=-1)
    return valid


def _check_finite(patch: PatchRef, name: str, values: F32, valid: Mask, row: int, col: int) -> None:
    """``UnreadableError`` that says where the first valid value lies that is not finite."""
    wrong = ~np.isfinite(values) & valid[..., None]
    if wrong.any():
        y, x, band = np.argwhere(wrong)[0].tolist()
        nm = patch.file.wavelength_nm
        shown = f"band {band + 1} ({nm[band]:g} nm)" if name == SPECTRA and nm is not None else f"band {band + 1}"
        raise UnreadableError(
            f"{name} of patch {patch.row} is {values[y, x, band]:g} in row {row + y}, column {col + x}, {shown}, "
            f"and {wrong.mean():.2%} of what was read is not finite"
        )
