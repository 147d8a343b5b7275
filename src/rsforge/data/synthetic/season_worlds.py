"""Scenes with one SAR image and several true optical images, one of each season."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rsforge.data.io.image_reader import Pixels
from rsforge.data.synthetic.backscatter import to_decibel, to_grey
from rsforge.data.synthetic.world import SEASONS, draw_pair, draw_strips

LOOK = {"kind": "fields", "region": "temperate"}
"""The kind of scenes, and the region, in which the seasons differ most: theirs is the colour of vegetation."""


class SeasonWorld(NamedTuple):
    """SAR ``(1, S, S)`` and the optical images of ``SEASONS`` ``(4, 3, S, S)``, in [-1, 1]."""

    sar: Tensor
    truths: Tensor


def draw_world(seed: int, number: int, size: int) -> SeasonWorld:
    """Scene ``number`` of the series ``seed``, as large as a patch of drawn pairs: 8-bit grey SAR, and each season.

    Backscatter does not know the season: SAR is drawn once.
    """
    first, power = draw_pair(seed, number, 2 * size, **LOOK, season=SEASONS[0])
    optical = [first, *(_draw_optical(seed, number, 2 * size, season) for season in SEASONS[1:])]
    sar = torch.from_numpy(to_grey(to_decibel(power))[None])
    truths = torch.from_numpy(np.stack(optical)).permute(0, 3, 1, 2)
    return SeasonWorld(*(image[..., :size, :size].float() / 255 * 2 - 1 for image in (sar, truths)))


def _draw_optical(seed: int, number: int, size: int, season: str) -> Pixels:
    return np.concatenate([strip.pixels() for strip in draw_strips(seed, number, size, **LOOK, season=season)])
