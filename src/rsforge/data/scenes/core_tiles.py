"""Images of any size as tiles that share no pixel, each computed from a wider window around it.

Unlike tiles that are blended, none of them needs its neighbours in memory: a result is written as it is made, however
wide the image and however many its bands are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from rsforge.data.io.windows import Window


class Reach(NamedTuple):
    """What a network needs: ``margin`` pixels around those that count, in windows that begin at multiples of ``step``.

    Windows end at the image's edge, or ``margin`` pixels past what counts.
    """

    margin: int
    step: int = 1

    def widen(self, window: Window, height: int, width: int) -> Window:
        """The window that is computed for ``window`` of an image of ``height`` x ``width`` pixels."""
        row, col = (max(0, start - self.margin) // self.step * self.step for start in window[:2])
        bottom = min(height, window.row + window.height + self.margin)
        right = min(width, window.col + window.width + self.margin)
        return Window(row, col, bottom - row, right - col)


@dataclass(frozen=True)
class CoreTiles:
    """Tiles of ``core`` x ``core`` pixels over an image, the last ones cut off at its edges, row by row.

    ``scale`` is that of the result. ``ValueError`` unless ``core`` is a multiple of its denominator, so that tiles
    begin between pixels of the result.
    """

    height: int
    width: int
    core: int
    scale: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        if self.core < 1 or self.core % self.scale.denominator:
            raise ValueError(f"tiles of {self.core} pixels do not begin at pixels of a result at scale {self.scale}")

    def __len__(self) -> int:
        return math.ceil(self.height / self.core) * math.ceil(self.width / self.core)

    def __iter__(self) -> Iterator[Window]:
        for row in range(0, self.height, self.core):
            for col in range(0, self.width, self.core):
                yield Window(row, col, min(self.core, self.height - row), min(self.core, self.width - col))

    @property
    def result_size(self) -> tuple[int, int]:
        """(height, width) of the result: the whole pixels that the image covers, 255 for 34 at 15/2."""
        return math.floor(self.height * self.scale), math.floor(self.width * self.scale)


def scale_window(window: Window, scale: Fraction) -> Window:
    """The pixels of a result at ``scale`` that ``window`` covers; it must begin at one."""
    row, col = (math.floor(start * scale) for start in window[:2])
    bottom = math.floor((window.row + window.height) * scale)
    right = math.floor((window.col + window.width) * scale)
    return Window(row, col, bottom - row, right - col)


def window_within(window: Window, outer: Window) -> tuple[slice, slice]:
    """The rows and columns of ``window`` in an array of the pixels of ``outer``."""
    row, col = window.row - outer.row, window.col - outer.col
    return slice(row, row + window.height), slice(col, col + window.width)
