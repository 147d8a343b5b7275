"""Files of patches through both stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.cubes.patches import PREDICTED, write_rows
from rsforge.data.io.windows import Window
from rsforge.data.scenes.landsat_units import ValueSample
from rsforge.data.spectra.negative_values import REMEDY
from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.spatial_dataset import landsat_at_its_pixels
from rsforge.data.splits.single_items import read_places
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Meter
from rsforge.recipes.hsi.band_facts import WRONG_FILE, BandFacts, require_same
from rsforge.recipes.hsi.predict_scene import SceneFigures
from rsforge.recipes.hsi.prediction import Stages, predict_coarse_to_fine


def check_patches(stages: Stages, file: PatchFile) -> None:
    """RSF-D003 for patches of other Landsat bands or another ratio of pixels than those of the training, RSF-D010 for
    another unit, RSF-D004 for none.

    The true spectra beside Landsat, which no prediction takes, may be any or none.
    """
    where = str(file.path)
    if not file.count:
        raise RsforgeError("RSF-D004", f"{file.name} holds no patches", where=where)
    patches = replace(BandFacts.of_patches(file), name=file.name, bands=None, wavelength_nm=None, scale=file.factor)
    fix, models = "cut the patches as those of the training were", [BandFacts.of_stage1(stages.spectral)]
    if stages.spatial is not None:
        models.append(replace(BandFacts.of_stage2(stages.spatial), scale=stages.scale))
    for model in models:
        require_same(model, patches, where=where, fix=fix, codes=WRONG_FILE)


def sample_patches(file: PatchFile, most: int = 4) -> ValueSample:
    """Landsat's valid pixels of up to ``most`` patches spread over a file."""
    reader = PatchReader()
    rows = sorted({int(row) for row in np.linspace(0, file.count - 1, most)})
    patches = [reader.read(PatchRef(file, row), landsat_alone=True) for row in rows]
    reader.close()
    pixels = np.concatenate([patch.landsat[patch.valid] for patch in patches])
    return ValueSample(file.name, str(file.path), file.unit, pixels, REMEDY)


def predict_patches(stages: Stages, file: PatchFile, target: Path, facts: dict[str, Any], meter: Meter) -> SceneFigures:
    """Write what is predicted of each patch as ``PREDICTED`` ``(N, H, W, bands)``, 0 where ``valid`` is.

    Patches of stage 2 are as large as whole pixels of Landsat: 255 of 256. ``scene`` and ``window`` are those of the
    patches, where the file has them. Stage 1 alone takes ``landsat`` as the file holds it, and figures count its
    pixels; with a stage 2 both take what ``landsat_at_its_pixels`` finds.
    """
    figures = SceneFigures()
    write_rows(target, _predict_rows(stages, file, figures, meter), facts)
    return figures


def _predict_rows(stages: Stages, file: PatchFile, figures: SceneFigures, meter: Meter) -> Iterator[dict[str, Any]]:
    reader = PatchReader()
    scenes, windows = read_places(file.path)
    for row in range(file.count):
        spectra = _predict_patch(stages, PatchRef(file, row), reader, figures)
        holds = spectra.isfinite().all(0)
        spectra[:, ~holds] = 0
        record = {PREDICTED: spectra.movedim(0, -1).numpy(), "valid": holds.numpy().astype(np.uint8)}
        window = windows[row]
        if window is not None:
            record["window"] = np.array(Window(*window[:2], *holds.shape), np.int32)
        yield record | ({"scene": scenes[row]} if scenes[row] else {})
        meter.step()
    reader.close()


def _predict_patch(stages: Stages, patch: PatchRef, reader: PatchReader, figures: SceneFigures) -> Tensor:
    pixels = reader.read(patch, landsat_alone=True)
    if stages.spatial is None:
        landsat = torch.from_numpy(pixels.landsat).movedim(-1, 0).clone()
        landsat[:, ~torch.from_numpy(pixels.valid)] = torch.nan
    else:
        landsat = landsat_at_its_pixels(pixels, stages.scale)
    spectra, met = predict_coarse_to_fine(stages, landsat)
    valid = int(landsat.isfinite().all(0).sum())
    figures.valid += valid
    figures.unmet += valid - int(met.sum())
    return spectra
