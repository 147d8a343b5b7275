"""Synthetic satellite tiles for demonstrations and tests, of any number and size."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge import durable
from rsforge.data.images.augment import augment
from rsforge.data.io.image_writer import encode_image
from rsforge.data.io.threads import map_in_threads
from rsforge.data.synthetic.landscape import draw_close_up, draw_tile

_VERSION = 1  # raise it when the images change


class SyntheticTiles(Dataset[Tensor]):
    """The first ``count`` scenes of the series ``seed`` as float ``(3, image_size, image_size)`` in [-1, 1].

    Addressed by (epoch, index) like ``TileDataset``. Up to ``keep_bytes`` all are drawn at once and cached.
    """

    def __init__(self, count: int, *, image_size: int, seed: int, flip: float = 0.0, keep_bytes: int = 1 << 30) -> None:
        self.count = count
        self.image_size = image_size
        self.seed = seed
        self.flip = flip
        self.cached: Tensor | None = None
        if count * 3 * image_size**2 <= keep_bytes:
            self.cached = torch.empty(count, 3, image_size, image_size, dtype=torch.uint8)
            for index, image in enumerate(map_in_threads(self._draw, range(count))):
                self.cached[index] = image

    @property
    def digest(self) -> str:
        """SHA-256 of everything that determines the images."""
        parts = ("synthetic", _VERSION, self.seed, self.count, self.image_size)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def plain(self) -> SyntheticTiles:
        """The same scenes without mirroring; the cache is shared."""
        clone = copy.copy(self)
        clone.flip = 0.0
        return clone

    def name(self, index: int) -> str:
        return f"tile_{index + 1:04d}"

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        epoch, index = key
        image = self._draw(index) if self.cached is None else self.cached[index]
        return augment(image, seed=self.seed, epoch=epoch, index=index, flip=self.flip, jitter=0.0)

    def _draw(self, index: int) -> Tensor:
        if not 0 <= index < self.count:
            raise IndexError(index)
        pixels = draw_tile(self.seed, index, self.image_size)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def write_tiles(folder: Path, count: int, size: int, seed: int, *, close_up: bool = False) -> None:
    """Write the first ``count`` scenes as ``tile_0001.png`` and so on; ``close_up`` only the middle of each."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = draw_close_up if close_up else draw_tile
    for index, pixels in enumerate(map_in_threads(lambda index: draw(seed, index, size), range(count))):
        durable.write_bytes(folder / f"tile_{index + 1:04d}.png", encode_image(pixels, ".png"))
