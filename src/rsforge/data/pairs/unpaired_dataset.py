"""SAR and optical images as two sets: judged one by one, and partnered anew in every epoch."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.io.digests import file_digest
from rsforge.data.io.georeference import Ground
from rsforge.data.io.rasters import inspect
from rsforge.data.pairs.dataset import mirrored
from rsforge.data.pairs.index import TIFF, Pair, told_by_name
from rsforge.data.pairs.layouts import Group
from rsforge.data.pairs.names import listing, token_free
from rsforge.data.pairs.reading import open_optical, open_sar
from rsforge.data.sar.radiometry import Radiometry
from rsforge.seeds import derive


@dataclass(frozen=True)
class Lone:
    """An image file for itself; ``side`` is 1 for SAR and 2 for optical, ``scene`` empty where unknown.

    ``pairs`` are the names that a pair with it would have.
    """

    path: Path
    name: str
    side: int
    scene: str = ""
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class JudgedImage:
    """An image that can be used: SHA-256 of its file, size, bands as networks see them, place of a GeoTIFF."""

    image: Lone
    digest: str
    height: int
    width: int
    bands: int
    ground: Ground | None = None

    @property
    def name(self) -> str:
        return self.image.name


def list_images(root: Path, layout: str, group: Group) -> list[Lone]:
    """The SAR and the optical images of a group, in natural order; links that leave the root are left aside."""
    home, place = root.resolve(), f"{group.name}/" if group.name else ""
    return [
        Lone(path, path.relative_to(root).as_posix(), side, scene, (place + path.stem, place + bare))
        for side, folder in ((1, group.sar), (2, group.optical))
        for path in listing(folder, folders=False)
        if path.resolve().is_relative_to(home)
        for bare in [token_free(path.stem, side)]
        for scene, _ in [told_by_name(layout, group.name, bare)]
    ]


def lone_of(pair: Pair, root: Path) -> list[Lone]:
    """The two images of a pair, each for itself."""
    sides = ((1, pair.sar), (2, pair.optical))
    return [Lone(path, path.relative_to(root).as_posix(), side, pair.scene, (pair.name,)) for side, path in sides]


def judge_image(image: Lone, radiometry: Radiometry, allow_gray_optical: bool) -> JudgedImage:
    """Open and hash one image; RSF-D002, D009 and D010 as for pairs."""
    if image.side == 1:
        values = open_sar(image.path, radiometry)
    else:
        values = open_optical(image.path, allow_gray_optical=allow_gray_optical)
    height, width, bands = values.shape
    ground = inspect(image.path).ground if image.path.suffix.lower() in TIFF else None
    return JudgedImage(image, file_digest(image.path), height, width, bands, ground)


class Images(Protocol):
    """Square images by number, float32 in [-1, 1]."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Tensor: ...


class _Pairs(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int], /) -> Any: ...


class Half:
    """One of the two images of each pair of a plain dataset."""

    def __init__(self, pairs: _Pairs, which: int) -> None:
        self.pairs, self.which = pairs, which

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.pairs[0, index][self.which]
        return image


class UnpairedDataset(Dataset[tuple[Tensor, Tensor]]):
    """SAR ``(C, S, S)`` and optical ``(3, S, S)`` of two sets, float32 in [-1, 1], addressed by (epoch, index).

    As many items as the larger set has; the smaller one starts over. ``names`` are those of the SAR images, whose
    partners are drawn by (seed, epoch), or stand in order with ``drawn`` off. Both are mirrored alike.
    """

    def __init__(
        self, sar: Images, optical: Images, names: Sequence[str], *, seed: int, flip: float = 0.0, drawn: bool = True
    ) -> None:
        self.sar, self.optical, self.names = sar, optical, list(names)
        self.seed, self.flip, self.drawn = seed, flip, drawn

    def __len__(self) -> int:
        return max(len(self.sar), len(self.optical))

    def plain(self) -> UnpairedDataset:
        """The same images, not mirrored; what is kept is shared."""
        twin = copy.copy(self)
        twin.flip = 0.0
        return twin

    def name(self, index: int) -> str:
        return self.names[index % len(self.names)]

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        epoch, index = key
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = index % len(self.optical)
        other = _partners(self.seed, epoch, len(self.optical))[place] if self.drawn else place
        sar, optical = self.sar[index % len(self.sar)], self.optical[other]
        return mirrored(sar, optical, seed=self.seed, key=key, flip=self.flip)


@lru_cache(maxsize=4)
def _partners(seed: int, epoch: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive(seed, "partners", epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
