"""Images of any size as square tiles that overlap: cut row by row of tiles, and blended back the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from rsforge.data.io.windows import Window

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mosaic:
    """Tiles of ``tile`` x ``tile`` over ``height`` x ``width`` pixels, the last of a row or column shifted inwards.

    Neighbours share ``overlap`` pixels or more, and fade into each other over ``overlap`` of them in the middle; at 0
    they meet hard. Smaller images are mirrored at their lower and right edge up to a tile. Tiles run left to right,
    then downwards. ``ValueError`` unless ``0 <= overlap < tile`` and there are pixels.
    """

    height: int
    width: int
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap < self.tile or min(self.height, self.width) < 1:
            raise ValueError(f"no tiles of {self.tile} with overlap {self.overlap} over {self.height} x {self.width}")

    def __len__(self) -> int:
        return len(self._rows) * len(self._cols)

    @cached_property
    def _rows(self) -> list[int]:
        return _starts(self.height, self.tile, self.overlap)

    @cached_property
    def _cols(self) -> list[int]:
        return _starts(self.width, self.tile, self.overlap)

    def bands(self) -> Iterator[Window]:
        """The rows of tiles, as windows of the whole width inside the image."""
        height = min(self.tile, self.height)
        return (Window(row, 0, height, self.width) for row in self._rows)

    def cut(self, band: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
        """The tiles ``(tile, tile, ...)`` of one band ``(h, width, ...)``, from left to right."""
        for col in self._cols:
            part = band[:, col : col + self.tile]
            missing = [(0, self.tile - side) for side in part.shape[:2]] + [(0, 0)] * (band.ndim - 2)
            yield np.pad(part, missing, mode="reflect")

    def blend(self, tiles: Iterable[Floats]) -> Iterator[Floats]:
        """The image ``(C, height, width)`` of all tiles ``(C, tile, tile)`` in order, as strips from top to bottom.

        No more than one row of tiles is held. A tile whose pixels equal its neighbours' leaves them as they are, to the
        rounding of float32.
        """
        source, (down, across) = iter(tiles), self._weights
        ends = [*self._rows[1:], self._rows[-1] + self.tile]
        # Where many tiles meet in a pixel, their sum in float32 would be off by more than 1e-6.
        precision = np.float64 if 2 * self.overlap > self.tile else np.float32
        held: npt.NDArray[Any] = np.zeros((0, self.tile, 0), precision)
        for row, end, rise in zip(self._rows, ends, down, strict=True):
            for col, run in zip(self._cols, across, strict=True):
                tile = next(source)
                if not held.size:
                    held = np.zeros((len(tile), self.tile, self._cols[-1] + self.tile), precision)
                held[:, :, col : col + self.tile] += tile * (rise[:, None] * run)
            done = end - row
            yield held[:, : min(done, self.height - row), : self.width].astype(np.float32)
            held[:, : self.tile - done] = held[:, done:]
            held[:, self.tile - done :] = 0

    @cached_property
    def _weights(self) -> tuple[list[Floats], list[Floats]]:
        down, across = (_fading(starts, self.tile, self.overlap) for starts in (self._rows, self._cols))
        return down, across


def spread(height: int, width: int, size: int = 128, most: int = 8) -> list[Window]:
    """Up to ``most`` x ``most`` windows of at most ``size`` x ``size`` pixels, evenly over ``height`` x ``width``.

    They run row by row and share no pixel; images up to ``size * most`` are covered.
    """
    rows, cols = (_parts(side, size, most) for side in (height, width))
    return [Window(row, col, tall, wide) for row, tall in rows for col, wide in cols]


def _parts(side: int, size: int, most: int) -> list[tuple[int, int]]:
    count = min(most, -(-side // size))
    parts = [(k * side // count, (k + 1) * side // count) for k in range(count)]
    lengths = [min(size, end - start) for start, end in parts]
    return [((start + end - length) // 2, length) for (start, end), length in zip(parts, lengths, strict=True)]


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    return [*range(0, side - tile, tile - overlap), max(side - tile, 0)]


def _fading(starts: list[int], tile: int, overlap: int) -> list[Floats]:
    """The weight of every tile along one axis; over each pixel they add up to one."""
    total, raw = np.zeros(starts[-1] + tile), []
    # Halfway between tile k - 1 and tile k; the outer edges never fade.
    middles = [-np.inf, *((a + b + tile) / 2 for a, b in pairwise(starts)), np.inf]
    for start, (left, right) in zip(starts, pairwise(middles), strict=True):
        centres = start + np.arange(0.5, tile)
        weight = _rise(centres - left, overlap) * (1 - _rise(centres - right, overlap))
        total[start : start + tile] += weight
        raw.append(weight)
    return [
        (weight / total[start : start + tile]).astype(np.float32) for start, weight in zip(starts, raw, strict=True)
    ]


def _rise(x: npt.NDArray[Any], width: int) -> npt.NDArray[Any]:
    """A raised cosine from 0 to 1 over ``width`` pixels around 0; a step where that is none."""
    if width == 0:
        return (x >= 0).astype(float)
    return np.square(np.sin(np.pi / 2 * np.clip(x / width + 0.5, 0, 1)))
