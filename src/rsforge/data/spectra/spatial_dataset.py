"""Spectra at two resolutions: crops of patches, and the area means of them that a coarser sensor would see."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.cubes.resample import area_weights
from rsforge.data.spectra.augment import turn
from rsforge.data.spectra.pair_dataset import Sample, SpectralPairs
from rsforge.data.spectra.patch_files import PatchFile
from rsforge.data.spectra.patch_reader import PairedPixels
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from rsforge.wording import count_noun

HALF = 0.5
DRAWS = 1 << 20  # equally likely numbers of which a share is taken


def high_size(low: int, factor: Fraction) -> int:
    """The pixels that ``low`` coarse ones cover: 255 for 34 of width 15/2. RSF-U005 where that is no whole number."""
    high = low * factor
    if low < 1 or high.denominator != 1:
        what = f"{low} pixels of width {float(factor):g} cover {float(high):g} pixels, no whole number"
        raise RsforgeError("RSF-U005", what, fix=f"choose a multiple of {factor.denominator}")
    return int(high)


def largest_low_size(high: int, factor: Fraction) -> int:
    """The most coarse pixels that cover a whole number of at most ``high``: 34 for 256 and 15/2, of which 255 are used.

    RSF-D003 where not even the fewest fit.
    """
    low = high // factor.numerator * factor.denominator
    if low < 1:
        fix = f"use patches of at least {factor.numerator} pixels"
        raise RsforgeError("RSF-D003", f"a patch of {high} pixels is too small for a factor of {factor}", fix=fix)
    return low


class SpatialPairs(Dataset[Sample]):
    """Crops of ``pairs`` as ``high (B, H, H)`` and their area means ``low (B, h, h)``, addressed by (epoch, index).

    ``H`` is ``h * factor`` exactly, so both begin and end at the same edges, without a shift. Means are over valid
    pixels; ``low_valid (1, h, h)`` is 1 where at least half of the area is valid, ``low`` is 0 elsewhere. ``landsat``
    and ``valid`` are those of the crop, for a first stage whose output is averaged in the same way by ``area_mean``.
    RSF-U005 where the crops of ``pairs`` are of another size.
    """

    def __init__(self, pairs: SpectralPairs, *, factor: Fraction, low_size: int) -> None:
        self.high_size = high_size(low_size, factor)
        if pairs.size != self.high_size:
            what = f"{low_size} pixels of width {factor} need crops of {self.high_size}, not of {pairs.size}"
            raise RsforgeError("RSF-U005", what)
        self.pairs, self.factor, self.low_size = pairs, factor, low_size
        self.weights = torch.from_numpy(area_weights(self.high_size, factor)).float()

    def __len__(self) -> int:
        return len(self.pairs)

    def plain(self) -> SpatialPairs:
        """The same patches, each once, its crop in the centre and as it lies."""
        return SpatialPairs(self.pairs.plain(), factor=self.factor, low_size=self.low_size)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        sample = self.pairs[key]
        low, low_valid = area_mean(sample["spectra"], sample["valid"], self.weights)
        return {
            "low": low,
            "high": sample["spectra"],
            "low_valid": low_valid,
            "valid": sample["valid"],
            "landsat": sample["landsat"],
        }


class PredictedPairs(Dataset[Sample]):
    """Samples of ``pairs``, whose ``low`` is what a first stage predicts in ``share`` of them, from 0 to 1.

    ``predicted (N, B, h, w)`` are its predictions for whole patches at the coarse resolution, normalised, NaN where
    Landsat has no data, which makes a pixel of ``low`` invalid too; crops of ``pairs`` must begin where coarse pixels
    do. Which sample takes which depends on (seed, epoch, index) alone.
    ``RuntimeError`` for crops that begin elsewhere.
    """

    def __init__(self, pairs: SpatialPairs, predicted: npt.NDArray[np.float32], *, share: float = 1.0) -> None:
        if pairs.pairs.step % pairs.factor.numerator:
            raise RuntimeError(f"crops at every {pairs.pairs.step} pixels, coarse pixels at {pairs.factor.numerator}")
        self.pairs, self.predicted, self.share = pairs, predicted, share

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        sample = self.pairs[key]
        if derive(self.pairs.pairs.seed, "source", *key) % DRAWS < self.share * DRAWS:
            low = self._cut(key)
            known = (sample["low_valid"] > 0) & low[:1].isfinite()
            sample["low"], sample["low_valid"] = low.where(known, 0), known.to(low.dtype)
        return sample

    def _cut(self, key: tuple[int, int]) -> Tensor:
        """The prediction ``(B, h, h)`` for the crop of an item."""
        patches, size = self.pairs.pairs, self.pairs.low_size
        row, col = (int(edge / self.pairs.factor) for edge in patches.window(key)[:2])
        whole = self.predicted[key[1] // patches.crops_per_patch]
        crop = whole[:, row : row + size, col : col + size].transpose(1, 2, 0)
        turned = turn(crop, patches.position(key)).transpose(2, 0, 1)
        return torch.from_numpy(np.array(turned))


def cut_to_coarse(image: Tensor, scale: Fraction) -> Tensor:
    """The part ``(..., H, W)`` of an image from its upper left corner that whole coarse pixels cover: 255 of 256."""
    height, width = (high_size(largest_low_size(side, scale), scale) for side in image.shape[-2:])
    return image[..., :height, :width]


def coarse_means(image: Tensor, valid: Tensor, scale: Fraction) -> tuple[Tensor, Tensor]:
    """``area_mean`` of the part of an image that whole coarse pixels cover: 34 x 34 means of 256 x 256 pixels."""
    part = cut_to_coarse(image, scale)
    rows, cols = (torch.from_numpy(area_weights(side, scale)).to(part) for side in part.shape[-2:])
    return area_mean(part, cut_to_coarse(valid, scale), rows, cols)


def landsat_at_its_pixels(pixels: PairedPixels, scale: Fraction) -> Tensor:
    """What Landsat measured of a whole patch, ``(K, h, w)`` at the pixels that stage 2 takes; NaN where not known.

    That is ``landsat_native`` where the file has it for pixels of this width, else the mean of the enlarged ``landsat``
    over the valid part of each, which is what is left of it: where Landsat has contrast they differ. A pixel of which
    less than half is valid is not known.
    """
    image, valid = (torch.from_numpy(values) for values in (pixels.landsat, pixels.valid))
    landsat, holds = coarse_means(image.permute(2, 0, 1), valid.float()[None], scale)
    if pixels.native is not None and pixels.width == scale:
        height, width = landsat.shape[1:]
        landsat = torch.from_numpy(pixels.native[:height, :width]).permute(2, 0, 1).clone()
    landsat[:, holds[0] == 0] = torch.nan
    return landsat


def describe_landsat(files: Iterable[PatchFile], scale: Fraction) -> str:
    """A sentence on what stands for Landsat at its own pixels where files do not have these; "" where all have."""
    every = {file.path: file for file in files}.values()
    lacking = [file for file in every if not file.has_native or file.factor != scale]
    if not lacking:
        return ""
    where = lacking[0].name if len(every) == 1 else f"{len(lacking)} of {count_noun(len(every), 'file')}"
    reason = f"pixels of another width than {scale}" if lacking[0].has_native else "no landsat_native"
    return f"{where} with {reason}: means of landsat over each pixel are taken for what Landsat measured"


def area_mean(image: Tensor, valid: Tensor, rows: Tensor, cols: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Means ``(..., C, h, w)`` over the valid pixels of ``image (..., C, H, W)``, and where they hold.

    ``rows (h, H)`` and ``cols (w, W)``, the same when absent, are those of ``area_weights``; ``valid (..., 1, H, W)``
    is 0 or 1. A mean holds, and is not 0, where at least half of its area is valid: 1 in ``(..., 1, h, w)``.
    """
    cols = rows if cols is None else cols
    share = rows @ valid @ cols.mT
    sums = rows @ (image * valid) @ cols.mT
    holds = (share >= HALF - 1e-6).to(image.dtype)
    return sums / share.clamp_min(1e-6) * holds, holds
