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


def draw_crop(height: int, width: int, size: int, *, seed: int, epoch: int, index: int, step: int = 1) -> Window:
    """A square of ``size`` pixels within ``height`` x ``width``, at multiples of ``step``; all are equally likely."""
    rows, cols = (height - size) // step + 1, (width - size) // step + 1
    place = derive(seed, "crop", epoch, index) % (rows * cols)
    return Window(place // cols * step, place % cols * step, size, size)


def centre_crop(height: int, width: int, size: int, *, step: int = 1) -> Window:
    """The square of ``size`` pixels in the centre, or up and left of it at the next multiple of ``step``."""
    row, col = ((side - size) // 2 // step * step for side in (height, width))
    return Window(row, col, size, size)


def draw_position(*, seed: int, epoch: int, index: int) -> int:
    """One of ``POSITIONS``, all equally likely."""
    return derive(seed, "position", epoch, index) % POSITIONS


def turn(image: npt.NDArray[Any], position: int) -> npt.NDArray[Any]:
    """``image (H, W, ...)`` turned by ``position // 2`` quarters, then mirrored left to right if ``position`` is odd.

    Values are moved, never changed. Rows and columns change places with odd numbers of quarters.
    """
    turned = np.rot90(image, position // 2)
    return turned[:, ::-1] if position % 2 else turned
