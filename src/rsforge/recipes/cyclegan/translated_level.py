"""Whether SAR images to be translated have the level of the training's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rsforge.data.io.threads import map_in_threads
from rsforge.data.scenes.sample_windows import spread_windows
from rsforge.errors import RsforgeError
from rsforge.recipes.console import Console
from rsforge.recipes.cyclegan.sar_level import MOST_LOOKED_AT, describe_other_level, find_fitted, spread_evenly
from rsforge.recipes.cyclegan.translation import Translation
from rsforge.recipes.inference.sar_values import UNIT_SYMBOLS
from rsforge.recipes.inference.tiled import ImageJob, readable

_WINDOWS = 2
"""Of a side: a few windows tell the level of an image."""


def warn_of_other_level(state: Mapping[str, Any], own: Translation, jobs: Sequence[ImageJob], console: Console) -> None:
    """A warning as of ``cyclegan evaluate``, of at most 32 images.

    None where the unit is known, or the generator sees images at mean 0 and deviation 1 alone.
    """
    standardised = state["architecture"]["gen_AB"].get("level") == "standardise"
    if own.modality != "sar" or own.given.unit in UNIT_SYMBOLS or standardised or find_fitted(state) is None:
        return
    chosen = [jobs[index] for index in spread_evenly(jobs, min(len(jobs), MOST_LOOKED_AT))]
    # Two at once: some formats are decoded whole, however small the window.
    means = [
        mean for _, mean in map_in_threads(lambda job: (job, _measure_level(own, job)), chosen, 2) if mean is not None
    ]
    caveats = describe_other_level(state, torch.stack(means).mean(0)) if means else []
    for caveat in caveats:
        console.warn(
            f"{caveat}, and what is made of them may be wrong; give images scaled as those of the training were"
        )


def _measure_level(own: Translation, job: ImageJob) -> Tensor | None:
    """The mean of each band in [-1, 1] over valid pixels; None without any, or where reading says what is wrong."""
    try:
        with readable(job.source.path, job.view, job.modality) as raster:
            windows = spread_windows(raster.info.height, raster.info.width, most=_WINDOWS)
            parts = [raster.read(window) for window in windows]
    except RsforgeError:
        return None
    pixels = [own.takes.scale(part.values, part.valid)[part.valid] for part in parts]
    level = np.concatenate(pixels)
    return torch.from_numpy(level).mean(0) if len(level) else None
