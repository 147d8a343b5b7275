"""Windows of pixels in a scene: cut, compared, kept apart."""

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

    def grown(self, by: int) -> Window:
        """The window with ``by`` more pixels on every side; it may leave the scene."""
        return Window(self.row - by, self.col - by, self.height + 2 * by, self.width + 2 * by)

    def shared(self, other: Window) -> int:
        """How many pixels both hold."""
        rows = min(self.row + self.height, other.row + other.height) - max(self.row, other.row)
        cols = min(self.col + self.width, other.col + other.width) - max(self.col, other.col)
        return max(rows, 0) * max(cols, 0)


@dataclass(frozen=True)
class Frames:
    """All whole ``size`` x ``size`` windows of a scene, ``stride`` apart, row by row; none is made before it is due."""

    height: int
    width: int
    size: int
    stride: int

    def _starts(self) -> tuple[range, range]:
        rows, cols = (range(0, side - self.size + 1, self.stride) for side in (self.height, self.width))
        return rows, cols

    def __len__(self) -> int:
        rows, cols = self._starts()
        return len(rows) * len(cols)

    def __iter__(self) -> Iterator[Window]:
        rows, cols = self._starts()
        return (Window(row, col, self.size, self.size) for row in rows for col in cols)


def windows(height: int, width: int, size: int, stride: int) -> list[Window]:
    """All whole ``size`` x ``size`` windows of a scene, ``stride`` apart, row by row."""
    return list(Frames(height, width, size, stride))
