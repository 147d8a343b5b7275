"""How much each of several overlapping tiles counts in the pixels that it shares with its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def blend_weights(starts: Sequence[int], tile: int, fade: float) -> list[Floats]:
    """The weight of every tile ``(tile,)`` along one axis; over each pixel they add up to one.

    Tiles begin at ``starts``, in rising order. Halfway between two of them, one fades into the other over ``fade``
    pixels in a raised cosine, or in a step where ``fade`` is 0; the outer edges never fade.
    """
    total, raw = np.zeros(starts[-1] + tile), []
    middles = [-np.inf, *((a + b + tile) / 2 for a, b in pairwise(starts)), np.inf]
    for start, (left, right) in zip(starts, pairwise(middles), strict=True):
        centres = start + np.arange(0.5, tile)
        weight = _raised_cosine(centres - left, fade) * (1 - _raised_cosine(centres - right, fade))
        total[start : start + tile] += weight
        raw.append(weight)
    # More than two tiles meet in a pixel where tiles share more than half of their size: only the sum tells the share.
    return [
        (weight / total[start : start + tile]).astype(np.float32) for start, weight in zip(starts, raw, strict=True)
    ]


def _raised_cosine(x: npt.NDArray[Any], width: float) -> npt.NDArray[Any]:
    """A rise from 0 to 1 over ``width`` pixels around 0; a step where that is none."""
    if width == 0:
        return (x >= 0).astype(float)
    return np.square(np.sin(np.pi / 2 * np.clip(x / width + 0.5, 0, 1)))
