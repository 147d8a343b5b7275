"""Paired patches for training: random crops, normalised, read by loader workers as they are asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.cubes.resample import area_weights
from rsforge.data.io.windows import Window
from rsforge.data.spectra.augment import centre_crop, draw_crop, draw_position, turn
from rsforge.data.spectra.patch_files import PatchRef
from rsforge.data.spectra.patch_reader import PairedPixels, PatchReader
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError

Sample = dict[str, Tensor]


class SpectralPairs(Dataset[Sample]):
    """Patches as ``landsat (K, h, w)``, ``spectra (B, h, w)`` and ``valid (1, h, w)``, addressed by (epoch, index).

    Values are normalised, float32, and 0 where invalid; ``valid`` is 1 or 0, float32. The crop of ``size`` pixels and
    its position (four quarter turns, mirrored or not) depend on (seed, epoch, index) alone; without ``augment`` the
    crop is the centre, without ``size`` it is the patch. Crops begin at multiples of ``step`` pixels. An epoch shows
    ``crops_per_patch`` crops of each patch.

    With ``factor``, the width of a pixel of Landsat in files that have these, there are also ``native (K, p, q)``, 0
    where ``native_valid (1, p, q)`` is 0, and the weights ``rows (p, h)`` and ``cols (q, w)`` of the area means of a
    crop at these pixels; ``step`` is then a multiple of its numerator.
    Nothing is kept in memory. RSF-D003 for patches smaller than the crop, or, uncropped, of several sizes; RSF-D004
    for none.
    """

    def __init__(
        self,
        patches: Sequence[PatchRef],
        *,
        landsat: Scaling,
        spectra: Scaling,
        size: int | None,
        seed: int,
        augment: bool = True,
        crops_per_patch: int = 1,
        step: int = 1,
        factor: Fraction | None = None,
        reader: PatchReader | None = None,
    ) -> None:
        self.patches = list(patches)
        self.landsat, self.spectra = landsat, spectra
        self.size, self.seed, self.augment = size, seed, augment
        self.crops_per_patch, self.step, self.factor = crops_per_patch, step, factor
        self.reader = reader or PatchReader()
        _check_sizes(self.patches, size, turned=augment)
        for scaling, bands in ((landsat, patches[0].file.landsat_bands), (spectra, patches[0].file.bands)):
            if scaling.bands not in (None, bands):
                what = f"the normalisation is for {scaling.bands} bands, the patches have {bands}"
                raise RsforgeError("RSF-D008", what, where=str(patches[0].file.path))

    def __len__(self) -> int:
        return len(self.patches) * self.crops_per_patch

    def plain(self) -> SpectralPairs:
        """The same patches, each once, its crop in the centre and as it lies."""
        clone = copy.copy(self)
        clone.augment, clone.crops_per_patch = False, 1
        return clone

    def name(self, index: int) -> str:
        return self.patches[index // self.crops_per_patch].name

    def window(self, key: tuple[int, int]) -> Window:
        """The pixels of its patch that an item shows."""
        epoch, index = key
        file = self.patches[index // self.crops_per_patch].file
        if self.size is None:
            return Window(0, 0, file.height, file.width)
        if not self.augment:
            return centre_crop(file.height, file.width, self.size, step=self.step)
        return draw_crop(file.height, file.width, self.size, seed=self.seed, epoch=epoch, index=index, step=self.step)

    def position(self, key: tuple[int, int]) -> int:
        """How an item is turned and mirrored, for :func:`turn`."""
        epoch, index = key
        return draw_position(seed=self.seed, epoch=epoch, index=index) if self.augment else 0

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        _, index = key
        if not 0 <= index < len(self):
            raise IndexError(index)
        wanted = self.factor is not None
        pixels = self.reader.read(self.patches[index // self.crops_per_patch], self.window(key), native=wanted)
        position = self.position(key)
        landsat, spectra = self.landsat.normalise(pixels.landsat), self.spectra.normalise(pixels.spectra)
        if not pixels.valid.all():
            landsat[~pixels.valid] = 0
            spectra[~pixels.valid] = 0
        return {
            "landsat": _as_channels(landsat, position),
            "spectra": _as_channels(spectra, position),
            "valid": _as_channels(pixels.valid[..., None].astype(np.float32), position),
            **self._native(pixels, position),
        }

    def _native(self, pixels: PairedPixels, position: int) -> Sample:
        """Landsat at its own pixels, turned as the crop is, and the weights that lead from the crop to them."""
        if self.factor is None or pixels.native is None:
            return {}
        known: npt.NDArray[Any] = np.asarray(np.isfinite(pixels.native).all(axis=-1, keepdims=True))
        native: npt.NDArray[Any] = np.where(known, self.landsat.normalise(pixels.native), 0)
        rows, cols = (area_weights(side, self.factor) for side in pixels.valid.shape)
        corners = turn(np.arange(4).reshape(2, 2), position)  # 0 is the corner at which the pixels of Landsat begin
        return {
            "native": _as_channels(native, position),
            "native_valid": _as_channels(known.astype(np.float32), position),
            "rows": _as_weights(rows, reverse=0 not in corners[0]),
            "cols": _as_weights(cols, reverse=0 not in corners[:, 0]),
        }


def _as_channels(image: npt.NDArray[Any], position: int) -> Tensor:
    """``(H, W, C)``, turned, as a tensor ``(C, H', W')``."""
    return torch.from_numpy(np.ascontiguousarray(turn(image, position).transpose(2, 0, 1)))


def _as_weights(weights: npt.NDArray[Any], *, reverse: bool) -> Tensor:
    """Weights ``(coarse, fine)`` of an axis, both of whose ends changed places where it is reversed."""
    return torch.from_numpy(np.ascontiguousarray(weights[::-1, ::-1] if reverse else weights, np.float32))


def _check_sizes(patches: Sequence[PatchRef], size: int | None, *, turned: bool) -> None:
    if not patches:
        raise RsforgeError("RSF-D004", "there is no patch to read")
    sizes = sorted({(patch.file.height, patch.file.width) for patch in patches})
    shown = ", ".join(f"{height} x {width}" for height, width in sizes)
    if size is not None and min(min(pair) for pair in sizes) < size:
        fix = "lower the size of crops"
        raise RsforgeError("RSF-D003", f"a crop of {size} pixels does not fit into all patches", found=shown, fix=fix)
    if size is None and (len(sizes) > 1 or (turned and sizes[0][0] != sizes[0][1])):
        fix = "train on crops of one size"
        raise RsforgeError("RSF-D003", "whole patches of different shapes make no batch", found=shown, fix=fix)
