"""Synthetic satellite tiles for demonstrations and tests: no download, any number, any size."""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge import durable
from rsforge.data.images.augment import augmented
from rsforge.data.io.image_writer import encode
from rsforge.data.io.threads import in_threads
from rsforge.data.synthetic.landscape import draw_tile as draw_tile

_VERSION = 1  # raise it when the drawings change


class SyntheticTiles(Dataset[Tensor]):
    """The first ``count`` scenes of a series as float ``(3, image_size, image_size)`` in [-1, 1].

    Addressed by (epoch, index) like ``TileDataset`` and, up to ``keep_bytes``, drawn once here.
    """

    def __init__(self, count: int, *, image_size: int, seed: int, flip: float = 0.0, keep_bytes: int = 1 << 30) -> None:
        self.count, self.image_size, self.seed, self.flip = count, image_size, seed, flip
        self.kept: Tensor | None = None
        if count * 3 * image_size**2 <= keep_bytes:
            self.kept = torch.empty(count, 3, image_size, image_size, dtype=torch.uint8)
            for index, image in enumerate(in_threads(self._draw, range(count))):
                self.kept[index] = image

    @property
    def digest(self) -> str:
        """SHA-256 of what determines the images."""
        parts = ("synthetic", _VERSION, self.seed, self.count, self.image_size)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def plain(self) -> SyntheticTiles:
        """The same scenes as they are drawn, not mirrored; what is kept is shared."""
        twin = copy.copy(self)
        twin.flip = 0.0
        return twin

    def name(self, index: int) -> str:
        return f"tile_{index + 1:04d}"

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        epoch, index = key
        image = self._draw(index) if self.kept is None else self.kept[index]
        return augmented(image, seed=self.seed, epoch=epoch, index=index, flip=self.flip, jitter=0.0)

    def _draw(self, index: int) -> Tensor:
        if not 0 <= index < self.count:
            raise IndexError(index)
        pixels = draw_tile(self.seed, index, self.image_size)
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def write_tiles(folder: Path, count: int, size: int, seed: int) -> None:
    """Write the first ``count`` scenes as ``tile_0001.png`` and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        png = encode(draw_tile(seed, index, size), ".png")
        durable.write_bytes(folder / f"tile_{index + 1:04d}.png", png)
