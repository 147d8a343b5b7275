"""Everything that is measured on the training side before a network learns from it, in one pass over its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rsforge.data.cubes.cube import F32, F64
from rsforge.data.spectra.endmembers import MOST_PIXELS, PixelSample
from rsforge.data.spectra.negative_values import NegativeValues
from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.percentiles import Percentiles
from rsforge.data.spectra.pixel_stream import stream_pixels
from rsforge.data.spectra.ridge import Moments, Ridge, choose_ridge
from rsforge.data.spectra.scaling import Scaling
from rsforge.errors import RsforgeError


@dataclass(frozen=True)
class TrainingFits:
    """The normalisation of both sensors, the regression of ``spectra`` on ``landsat``, and a sample of spectra.

    ``ridge`` is in the units of the files, ``ridge.rescale(landsat, spectra)`` in normalised ones. ``pixels (n, B)``
    are those in which endmembers are found, ``seen (n, K)`` what Landsat saw of them, and ``error (B,)`` the root mean
    square error of the regression on the training side by band, and ``mean (B,)`` the mean spectrum of the training
    side, all in the units of the files. ``note`` says how many values are negative. Of :meth:`from_dict` there are the
    first three alone.
    """

    landsat: Scaling
    spectra: Scaling
    ridge: Ridge
    pixels: F32
    seen: F32
    error: F64
    mean: F64
    note: str

    def as_dict(self) -> dict[str, Any]:
        """What a checkpoint stores: all but the sample and the note."""
        return {
            "landsat": self.landsat.as_dict(),
            "spectra": self.spectra.as_dict(),
            "ridge": self.ridge.as_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], *, where: str = "") -> TrainingFits:
        """What :meth:`as_dict` gave; RSF-D006 when it is damaged, ``KeyError`` where something is missing."""
        landsat, spectra = (Scaling.from_dict(record[name], where=where) for name in ("landsat", "spectra"))
        ridge = Ridge.from_dict(record["ridge"], where=where)
        bands, seen = ridge.weight.shape
        unknown = np.zeros((0, bands), np.float32), np.zeros((0, seen), np.float32), np.zeros(0), np.zeros(0)
        return cls(landsat, spectra, ridge, *unknown, "")

    @property
    def complete(self) -> bool:
        """Whether a network can start from it."""
        return len(self.pixels) > 0


class _BySensor:
    """The ranges of values of both sensors; a ``PixelMeasure``."""

    def __init__(self, patch: PatchRef, per_band: bool) -> None:
        self.landsat = Percentiles(patch.file.landsat_bands, per_band=per_band)
        self.spectra = Percentiles(patch.file.bands, per_band=per_band)

    def add(self, name: str, landsat: F32, spectra: F32) -> None:
        self.landsat.add(landsat)
        self.spectra.add(spectra)


def count_negative_values(file: PatchFile) -> tuple[NegativeValues, NegativeValues]:
    """Counters for the spectra and for Landsat of patches that are like those of ``file``."""
    return NegativeValues(file.wavelength_nm, file.unit), NegativeValues(unit=file.unit, of_landsat=True)


def fit_training_side(
    train: Sequence[PatchRef],
    held_out: Sequence[PatchRef] = (),
    *,
    seed: int,
    percentiles: tuple[float, float] = (1.0, 99.0),
    per_band: bool = False,
    clip: bool = False,
    sample: int = MOST_PIXELS,
    reader: PatchReader | None = None,
    step: Callable[[], None] = lambda: None,
) -> TrainingFits:
    """Read every training patch once, and the held-out ones for the strength of the regression alone.

    ``step`` is called after each patch. RSF-D004 for no training patch or no valid pixel, RSF-D010 where too much of
    the spectra or of Landsat is negative, and the errors of ``PatchReader.read``.
    """
    if not train:
        raise RsforgeError("RSF-D004", "there is no patch to train on")
    reader = reader or PatchReader()
    negative = count_negative_values(train[0].file)
    ranges = _BySensor(train[0], per_band)
    moments, held_out_moments = Moments(), Moments()
    pixels = PixelSample(len(train), seed=seed, most=sample)
    stream_pixels(train, [*negative, ranges, moments, pixels], reader=reader, step=step)
    for counted in negative:
        counted.require_few()
    stream_pixels(held_out, [held_out_moments], reader=reader, step=step)
    low, high = percentiles
    ridge = choose_ridge(moments, held_out_moments)
    return TrainingFits(
        landsat=ranges.landsat.scaling(low, high, clip=clip),
        spectra=ranges.spectra.scaling(low, high, clip=clip),
        ridge=ridge,
        pixels=pixels.pixels(),
        seen=pixels.landsat(),
        error=np.sqrt(ridge.mean_squared_error(moments)),
        mean=moments.means()[1],
        note=negative[0].describe(),
    )
