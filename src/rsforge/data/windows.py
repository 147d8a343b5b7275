"""Windows of pixels in a scene: cut, compared, kept apart."""

from __future__ import annotations

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


def windows(height: int, width: int, size: int, stride: int) -> list[Window]:
    """All whole ``size`` x ``size`` windows of a scene, ``stride`` apart, row by row."""
    rows, cols = range(0, height - size + 1, stride), range(0, width - size + 1, stride)
    return [Window(row, col, size, size) for row in rows for col in cols]
