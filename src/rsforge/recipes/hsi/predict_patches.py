"""Files of patches through both stages."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.cubes.patches import PREDICTED, write_rows
from rsforge.data.io.windows import Window
from rsforge.data.spectra.patch_files import PatchFile, PatchRef
from rsforge.data.spectra.patch_reader import PatchReader
from rsforge.data.spectra.spatial_dataset import coarse_means
from rsforge.data.splits.single_items import read_places
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Meter
from rsforge.recipes.hsi.predict_scene import SceneFigures
from rsforge.recipes.hsi.prediction import Stages, predict_detail, predict_spectra, project_detail, project_spectra


def check_patches(stages: Stages, file: PatchFile) -> None:
    """RSF-D003 for patches of other Landsat bands or another ratio of pixels than those of the training, RSF-D010 for
    another unit, RSF-D004 for none."""
    state, where = stages.spectral.loaded.state, str(file.path)
    if not file.count:
        raise RsforgeError("RSF-D004", f"{file.path.name} holds no patches", where=where)
    count = stages.spectral.ridge.weight.shape[1]
    wrong = f"{file.landsat_bands} Landsat bands, the network takes {count}" if file.landsat_bands != count else ""
    names = tuple(state.get("landsat_names", ()))
    if not wrong and names and file.landsat_names and names != file.landsat_names:
        wrong = f"the Landsat bands {', '.join(file.landsat_names)}, the network takes {', '.join(names)}"
    sensor = state.get("sensor", "")
    if not wrong and sensor and file.sensor and sensor != file.sensor:
        wrong = f"the bands of {file.sensor}, the network takes those of {sensor}"
    if not wrong and stages.spatial is not None and file.factor != stages.scale:
        wrong = f"{file.factor} pixels of spectra to one of Landsat, stage 2 makes {stages.scale}"
    if wrong:
        fix = "cut the patches as those of the training were"
        raise RsforgeError("RSF-D003", f"{file.path.name} has {wrong}", where=where, fix=fix)
    unit = state.get("unit", "")
    if unit and file.unit and unit != file.unit:
        what = f"{file.path.name} is in another unit than the training"
        raise RsforgeError(
            "RSF-D010", what, where=where, found=f"{file.unit} and {unit}", fix="cut patches of its unit"
        )


def predict_patches(stages: Stages, file: PatchFile, target: Path, facts: dict[str, Any], meter: Meter) -> SceneFigures:
    """Write what is predicted of each patch as ``PREDICTED`` ``(N, H, W, bands)``, 0 where ``valid`` is.

    Patches of stage 2 are as large as whole pixels of Landsat: 255 of 256. ``scene`` and ``window`` are those of the
    patches, where the file has them. Figures count pixels of Landsat as the file holds them, or as stage 2 takes them.
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
    pixels = reader.read(patch)
    landsat = torch.from_numpy(pixels.landsat).movedim(-1, 0).clone()
    landsat[:, ~torch.from_numpy(pixels.valid)] = torch.nan
    spectra = predict_spectra(stages.spectral, landsat)
    if stages.spatial is not None:
        spectra, landsat = (_average(image, stages.scale) for image in (spectra, landsat))
    met = valid = landsat.isfinite().all(0)
    if stages.response is not None:
        spectra, met = project_spectra(spectra, landsat, stages.response)
    if stages.spatial is not None:
        spectra = predict_detail(stages.spatial, spectra)
        if stages.response is not None:
            spectra, met = project_detail(spectra, landsat, stages.response, stages.scale)
    figures.valid += int(valid.sum())
    figures.unmet += int(valid.sum()) - int(met.sum())
    return spectra


def _average(image: Tensor, scale: Fraction) -> Tensor:
    """Means ``(bands, h, w)`` over valid pixels, as stage 2 was trained on; NaN where less than half is valid."""
    valid = image.isfinite().all(0, keepdim=True)
    means, holds = coarse_means(torch.where(valid, image, 0), valid.float(), scale)
    means[:, holds[0] == 0] = torch.nan
    return means
