"""The stage 1 that stage 2 builds on: loaded, refused where it does not fit, and its predictions stored once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.spatial_dataset import landsat_at_its_pixels, largest_low_size
from rsforge.data.stored_arrays import check_array, open_array, write_array
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.hsi.band_facts import BandFacts, require_same
from rsforge.recipes.hsi.load import SpectralModel, load_spectral
from rsforge.recipes.hsi.prediction import predict_spectra
from rsforge.recipes.training.job import Compute, Partner

ROLE = "stage1"
LAYOUT = "stage-1 predictions 3"  # raise it when the order or meaning of the rows changes
FIX = "name the stage 1 of these patches with --stage1-checkpoint"


@dataclass(frozen=True)
class FirstStage:
    """A trained stage 1 and its checkpoint."""

    model: SpectralModel
    path: Path

    @property
    def partner(self) -> Partner:
        return Partner(self.path, self.model.loaded.digest)


def load_first_stage(path: Path, compute: Compute) -> FirstStage:
    """The stage 1 of a checkpoint, on the device; errors are those of :func:`load_spectral`."""
    return FirstStage(load_spectral(path, compute.device), path)


def check_fits(stage1: FirstStage, file: PatchFile) -> None:
    """RSF-C006 where stage 1 was trained on other bands than those of the patches, or in another unit."""
    own, patches = BandFacts.of_stage1(stage1.model), BandFacts.of_patches(file)
    require_same(own, patches, where=str(stage1.path), found=str(file.path), fix=FIX)


def describe_predictions(stage1: FirstStage | None) -> str:
    """How what stage 1 predicts became the input of a stage 2; "" where it takes the true spectra alone."""
    return LAYOUT if stage1 else ""


def check_goes_on(state: Mapping[str, Any], stage1: FirstStage, folder: Path) -> None:
    """RSF-C008 where the run to resume was given other values of the same patches by the same stage 1."""
    if (before := state.get("predictions", "")) != describe_predictions(stage1):
        what = "an earlier version of rsforge gave the run to resume another input: it could not go on as it began"
        found = f"{before or 'predictions that were not described'}, now {LAYOUT}"
        fix = "start a new run in another --output-dir; `rsforge hsi evaluate` takes the checkpoints as they are"
        raise RsforgeError("RSF-C008", what, where=str(folder), found=found, fix=fix)


class PredictionStore:
    """A folder of what stage 1 predicts for whole patches, at the pixels of Landsat.

    It is computed once, since every epoch takes the same. Files are named by all that determines their content.
    """

    def __init__(self, folder: Path, stage1: FirstStage, scale: Fraction, compute: Compute, console: Console) -> None:
        self.folder, self.stage1, self.scale = folder, stage1, scale
        self.compute, self.console = compute, console

    def predictions(self, patches: Sequence[PatchRef], side: str, split: str) -> npt.NDArray[np.float32]:
        """Memory-mapped ``(N, bands, h, w)``, normalised, in the order of ``patches``; rank 0 computes what is missing.

        Smaller patches are filled up with zeros, pixels that Landsat has no data of are NaN. ``split`` is the digest of
        the division whose ``side`` these are.
        """
        sizes = [_coarse_size(patch, self.scale) for patch in patches]
        height, width = (max(size[axis] for size in sizes) for axis in (0, 1))
        shape = (len(patches), patches[0].file.bands, height, width)
        path = self.folder / f"{self._key(side, split)}.npy"
        if self.compute.world.writes and not self._is_sound(path, shape, side):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_array(path, self._predict(patches, side, shape), shape)
        self.compute.world.barrier()
        return open_array(path, shape)

    def _key(self, side: str, split: str) -> str:
        model = self.stage1.model
        scalings = model.landsat.as_dict(), model.spectra.as_dict()
        parts = (LAYOUT, model.loaded.digest, scalings, str(self.scale), split, side)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def _is_sound(self, path: Path, shape: tuple[int, ...], side: str) -> bool:
        """Whether ``path`` holds the predictions to the bit; what is there and does not is said."""
        try:
            check_array(path, shape)
        except RsforgeError as error:
            if path.exists():
                self.console.warn(f"{path}: {error.found}: the {side} patches are predicted again")
            return False
        return True

    def _predict(self, patches: Sequence[PatchRef], side: str, shape: tuple[int, ...]) -> Iterator[Tensor]:
        reader = PatchReader()
        with self.console.progress(f"stage 1 on {side} patches", len(patches)) as meter:
            for patch in patches:
                coarse = predict_coarse(self.stage1.model, patch, reader, self.scale)
                filled = coarse.new_zeros(1, *shape[1:])
                filled[0, :, : coarse.shape[1], : coarse.shape[2]] = coarse
                yield filled
                meter.step()


def predict_coarse(model: SpectralModel, patch: PatchRef, reader: PatchReader, scale: Fraction) -> Tensor:
    """What ``model`` predicts for Landsat's own pixels of a patch ``(bands, h, w)``, normalised, NaN where unknown.

    It is what stage 2 is given of patches and of scenes in its use. RSF-T004 with the name of the patch where a
    prediction is not finite.
    """
    landsat = landsat_at_its_pixels(reader.read(patch, landsat_alone=True), scale)
    known = landsat.isfinite().all(0)
    try:
        spectra = predict_spectra(model, landsat)
    except RsforgeError as error:
        error.where = error.where or patch.name
        raise
    unit = torch.from_numpy(model.spectra.normalise(spectra.movedim(0, -1).numpy())).movedim(-1, 0)
    return torch.where(known, unit, torch.nan)


def _coarse_size(patch: PatchRef, scale: Fraction) -> tuple[int, int]:
    return largest_low_size(patch.file.height, scale), largest_low_size(patch.file.width, scale)
