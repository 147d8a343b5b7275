"""Rectangles of pixels in a scene, and regular grids of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels, its first row and column counted from 0 at the upper left of the scene."""

    row: int
    col: int
    height: int
    width: int

    def grow(self, pixels: int) -> Window:
        """The window with ``pixels`` more on every side; it may leave the scene."""
        return Window(self.row - pixels, self.col - pixels, self.height + 2 * pixels, self.width + 2 * pixels)

    def shared_pixels(self, other: Window) -> int:
        """The number of pixels that lie in both windows."""
        rows = min(self.row + self.height, other.row + other.height) - max(self.row, other.row)
        cols = min(self.col + self.width, other.col + other.width) - max(self.col, other.col)
        return max(rows, 0) * max(cols, 0)


@dataclass(frozen=True)
class WindowGrid:
    """All windows of ``size`` x ``size`` pixels that fit into a scene, ``stride`` apart, row by row, made on demand."""

    height: int
    width: int
    size: int
    stride: int

    def _starts(self, length: int) -> range:
        return range(0, length - self.size + 1, self.stride)

    def __len__(self) -> int:
        return len(self._starts(self.height)) * len(self._starts(self.width))

    def __iter__(self) -> Iterator[Window]:
        for row in self._starts(self.height):
            for col in self._starts(self.width):
                yield Window(row, col, self.size, self.size)


def list_windows(height: int, width: int, size: int, stride: int) -> list[Window]:
    """The windows of a ``WindowGrid`` as a list."""
    return list(WindowGrid(height, width, size, stride))
