"""Images of any size as square tiles that overlap: cut row by row of tiles, and blended back at any rational scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rsforge.data.io.windows import Window
from rsforge.data.scenes.blend_weights import Floats, blend_weights

Mask = npt.NDArray[np.bool_]


class TileWindow(NamedTuple):
    """Where one tile lies: ``source`` in pixels of the image, ``target`` in pixels of the result.

    Both may reach past the lower and right edge, where the tile is mirrored.
    """

    source: Window
    target: Window


@dataclass(frozen=True)
class TileGrid:
    """Tiles of ``tile`` x ``tile`` over ``height`` x ``width`` pixels, each to become ``tile * scale`` pixels wide.

    The image and the result begin at the same upper left edge, and the result holds the whole pixels that the image
    covers: 34 pixels at scale 15/2 are 255, 100 at 1/3 are 33. So that no tile of the result lies between two of its
    pixels, tiles begin and end at multiples of ``step``, the denominator of the scale.

    Neighbours share ``overlap`` pixels or more and fade into each other over ``overlap`` of them in the middle; at 0
    they meet hard. The last tile of a row or column is shifted inwards as far as ``step`` allows. What is missing of a
    tile at the lower and right edge is mirrored. Tiles run left to right, then downwards. ``ValueError`` unless
    ``0 <= overlap <= tile - step``, ``tile`` is a multiple of ``step``, and the result has pixels.
    """

    height: int
    width: int
    tile: int
    overlap: int
    scale: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        named = f"tiles of {self.tile} with overlap {self.overlap} over {self.height} x {self.width}"
        if self.scale <= 0 or min(self.result_size) < 1:
            raise ValueError(f"no {named}: at scale {self.scale} they have no pixels")
        if self.tile % self.step or not 0 <= self.overlap <= self.tile - self.step:
            raise ValueError(f"no {named} at scale {self.scale}, whose tiles are multiples of {self.step} pixels")

    def __len__(self) -> int:
        return len(self._rows) * len(self._cols)

    @property
    def step(self) -> int:
        """What positions and sizes of tiles are multiples of, so that they are whole pixels of the result too."""
        return self.scale.denominator

    @property
    def result_size(self) -> tuple[int, int]:
        """(height, width) of the result."""
        return math.floor(self.height * self.scale), math.floor(self.width * self.scale)

    @property
    def result_tile(self) -> int:
        """The side of a tile of the result."""
        return self._output_pixels(self.tile)

    def windows(self) -> Iterator[TileWindow]:
        """Every tile in order."""
        for row in self._rows:
            for col in self._cols:
                target = Window(self._output_pixels(row), self._output_pixels(col), self.result_tile, self.result_tile)
                yield TileWindow(Window(row, col, self.tile, self.tile), target)

    def bands(self) -> Iterator[Window]:
        """The rows of tiles, as windows of the whole width inside the image."""
        return (Window(row, 0, min(self.tile, self.height - row), self.width) for row in self._rows)

    def cut(self, band: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """The tiles ``(tile, tile, ...)`` of one band ``(h, width, ...)``, from left to right."""
        for col in self._cols:
            part = band[:, col : col + self.tile]
            missing = [(0, self.tile - side) for side in part.shape[:2]] + [(0, 0)] * (band.ndim - 2)
            yield np.pad(part, missing, mode="reflect")

    def blend(self, tiles: Iterable[Floats]) -> Iterator[Floats]:
        """The result ``(C, *result_size)`` of all tiles ``(C, result_tile, result_tile)``, as strips from the top.

        No more than one row of tiles is held: of it a strip is finished where the next row begins, and what lies below
        moves up. A tile whose pixels equal its neighbours' leaves them as they are, to the rounding of float32.
        """
        source, (down, across) = iter(tiles), self._weights
        rows, cols = ([self._output_pixels(start) for start in starts] for starts in (self._rows, self._cols))
        tile, (height, width) = self.result_tile, self.result_size
        ends = [*rows[1:], rows[-1] + tile]
        # Where many tiles meet in a pixel, their sum in float32 would be off by more than 1e-6.
        precision = np.float64 if 2 * self.overlap > self.tile else np.float32
        held: npt.NDArray[Any] = np.zeros((0, tile, 0), precision)
        for row, end, rise in zip(rows, ends, down, strict=True):
            for col, run in zip(cols, across, strict=True):
                pixels = next(source)
                if not held.size:
                    held = np.zeros((len(pixels), tile, cols[-1] + tile), precision)
                held[:, :, col : col + tile] += pixels * (rise[:, None] * run)
            done = end - row
            yield held[:, : min(done, height - row), :width].astype(np.float32)
            held[:, : tile - done] = held[:, done:]
            held[:, tile - done :] = 0

    @cached_property
    def _rows(self) -> list[int]:
        return _tile_starts(self.height, self.tile, self.overlap, self.step)

    @cached_property
    def _cols(self) -> list[int]:
        return _tile_starts(self.width, self.tile, self.overlap, self.step)

    @cached_property
    def _weights(self) -> tuple[list[Floats], list[Floats]]:
        """Of the rows and of the columns of tiles, at the scale of the result."""
        fade = float(self.overlap * self.scale)
        rows, cols = ([self._output_pixels(start) for start in starts] for starts in (self._rows, self._cols))
        return blend_weights(rows, self.result_tile, fade), blend_weights(cols, self.result_tile, fade)

    def _output_pixels(self, pixels: int) -> int:
        """A multiple of ``step`` in pixels of the result."""
        return pixels // self.scale.denominator * self.scale.numerator


def _tile_starts(size: int, tile: int, overlap: int, step: int) -> list[int]:
    """Where tiles begin along an axis of ``size`` pixels, all at multiples of ``step``."""
    stride = (tile - overlap) // step * step
    last = -(-max(size - tile, 0) // step) * step
    return [*range(0, last, stride), last]


def scale_mask(valid: Mask, scale: Fraction) -> Mask:
    """Which pixels of an image at another scale lie on pixels ``(H, W)`` that are all valid."""
    for axis in (0, 1):
        size = valid.shape[axis]
        pixels = range(math.floor(size * scale))
        first = [math.floor(i / scale) for i in pixels]
        end = [math.ceil((i + 1) / scale) for i in pixels]
        # How many pixels of [first, end) are invalid is a difference of running counts.
        counts = np.cumsum(~valid, axis=axis)
        counts = np.insert(counts, 0, 0, axis=axis)
        valid = np.take(counts, end, axis=axis) == np.take(counts, first, axis=axis)
    return valid
