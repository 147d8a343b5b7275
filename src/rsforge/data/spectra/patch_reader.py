"""Windows of paired patches, read where they are asked for; each process opens a file once."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from rsforge.data.cubes import hdf5_file
from rsforge.data.cubes.cube import F32, FILLS, Mask
from rsforge.data.io.image_reader import UnreadableError
from rsforge.data.io.windows import Window
from rsforge.data.spectra.patch_files import LANDSAT, SPECTRA, VALID, PatchRef, stamp_of
from rsforge.errors import RsforgeError

MOST_OPEN = 64


class PairedPixels(NamedTuple):
    """``landsat (h, w, K)`` and ``spectra (h, w, B)``, 0 where ``valid (h, w)`` is False."""

    landsat: F32
    spectra: F32
    valid: Mask


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

    def read(self, patch: PatchRef, window: Window | None = None) -> PairedPixels:
        """The window of a patch, all of it when absent; bands rise in wavelength.

        Where the file has no mask, pixels with a usual nodata value in any band are invalid. RSF-D008 for NaN and
        infinite values in valid pixels, for damage, and for a file that changed since it was found.
        """
        file = patch.file
        row, col, height, width = window or Window(0, 0, file.height, file.width)
        if min(row, col) < 0 or row + height > file.height or col + width > file.width:
            raise IndexError(f"{window} of a patch of {file.height} x {file.width} pixels")
        cut = (patch.row, slice(row, row + height), slice(col, col + width))
        try:
            source = self._open(file.path, file.stamp)
            with hdf5_file.translate_errors("it cannot be decoded"):
                landsat, spectra = (np.asarray(source[name][cut], np.float32) for name in (LANDSAT, SPECTRA))
                if file.spectrum.order is not None:
                    spectra = spectra[..., file.spectrum.order]
                valid = np.asarray(source[VALID][cut]) != 0 if file.has_mask else _find_valid(landsat, spectra)
            _check_finite(patch, landsat, spectra, valid, row, col)
        except UnreadableError as reason:
            what = f"{file.name} cannot be used: {reason}"
            raise RsforgeError("RSF-D008", what, where=f"{file.path}#{patch.row}") from None
        if not valid.all():
            landsat[~valid] = 0
            spectra[~valid] = 0
        return PairedPixels(landsat, spectra, valid)

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


def _find_valid(landsat: F32, spectra: F32) -> Mask:
    """Pixels of which no band is a usual nodata value."""
    valid = np.ones(spectra.shape[:2], bool)
    for values in (landsat, spectra):
        for fill in FILLS:
            valid &= ~np.any(values == np.float32(fill), axis=-1)
    return valid


def _check_finite(patch: PatchRef, landsat: F32, spectra: F32, valid: Mask, row: int, col: int) -> None:
    """``UnreadableError`` that says where the first value lies that is not finite."""
    for name, values in ((LANDSAT, landsat), (SPECTRA, spectra)):
        wrong = ~np.isfinite(values) & valid[..., None]
        if wrong.any():
            y, x, band = np.argwhere(wrong)[0].tolist()
            nm = patch.file.wavelength_nm
            shown = f"band {band + 1}" if name == LANDSAT or nm is None else f"band {band + 1} ({nm[band]:g} nm)"
            raise UnreadableError(
                f"{name} of patch {patch.row} is {values[y, x, band]:g} in row {row + y}, column {col + x}, {shown}, "
                f"and {wrong.mean():.2%} of what was read is not finite"
            )
