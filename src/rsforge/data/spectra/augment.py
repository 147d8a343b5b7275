"""Random crops, mirrors and quarter turns of patches, pure functions of seed, epoch and index.

A turn by any other angle would interpolate, and so mix the spectra of neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.io.windows import Window
from rsforge.seeds import derive

POSITIONS = 8
"""The ways to lay a square on itself: four turns, each mirrored or not."""


def draw_crop(height: int, width: int, size: int, *, seed: int, epoch: int, index: int) -> Window:
    """A square of ``size`` pixels within ``height`` x ``width``; all places are equally likely."""
    rows, cols = height - size + 1, width - size + 1
    place = derive(seed, "crop", epoch, index) % (rows * cols)
    return Window(place // cols, place % cols, size, size)


def centre_crop(height: int, width: int, size: int) -> Window:
    """The square of ``size`` pixels in the centre, half a pixel up and left where it cannot be."""
    return Window((height - size) // 2, (width - size) // 2, size, size)


def draw_position(*, seed: int, epoch: int, index: int) -> int:
    """One of ``POSITIONS``, all equally likely."""
    return derive(seed, "position", epoch, index) % POSITIONS


def turn(image: npt.NDArray[Any], position: int) -> npt.NDArray[Any]:
    """``image (H, W, ...)`` turned by ``position // 2`` quarters, then mirrored left to right if ``position`` is odd.

    Values are moved, never changed. Rows and columns change places with odd numbers of quarters.
    """
    turned = np.rot90(image, position // 2)
    return turned[:, ::-1] if position % 2 else turned
