"""Corrections of fine spectra to the means of the coarse ones that they were made of, and holes in these."""

from __future__ import annotations

from fractions import Fraction

import torch.nn.functional as F
from torch import Tensor

from rsforge.models.spectral.resize import average_areas, resize

REACH = 3
"""Coarse pixels to each side that a correction looks at, two by resampling and those that these overlap, and as many
from which a hole is filled."""


def fill_holes(x: Tensor, valid: Tensor | None) -> Tensor:
    """``x`` ``(B, C, h, w)``, and where ``valid`` ``(B, 1, h, w)`` is 0 the mean of valid pixels up to ``REACH`` away.

    0 where there are none: no valid pixel is resampled or corrected from so far away.
    """
    if valid is None:
        return x
    holds = valid > 0
    known = x.where(holds, 0.0)
    sums, share = (F.avg_pool2d(one, 2 * REACH + 1, stride=1, padding=REACH) for one in (known, holds.to(x)))
    return x.where(holds, sums / share.clamp_min(1e-6))


def correct_means(fine: Tensor, x: Tensor, scale: Fraction, count: int, valid: Tensor | None = None) -> Tensor:
    """``fine`` ``(B, C, H, W)``, to which ``count`` times is added what its area means lack of ``x`` ``(B, C, h, w)``.

    What is lacking is resampled, and 0 where ``valid`` ``(B, 1, h, w)`` is 0: ``x`` is not known there. Iterative
    back-projection, Irani and Peleg 1991.
    """
    for _ in range(count):
        lacking = x - average_areas(fine, (x.shape[2], x.shape[3]), scale)
        if valid is not None:
            lacking = lacking.where(valid > 0, 0.0)
        fine = fine + resize(lacking, scale)
    return fine
