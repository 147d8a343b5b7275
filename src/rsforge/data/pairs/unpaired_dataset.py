"""SAR and optical images as two sets: checked one by one, and given new partners in every epoch."""

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

from rsforge.data.files.digests import file_digest
from rsforge.data.files.safe_paths import is_inside
from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.data.io.georeference import Footprint
from rsforge.data.io.image_reader import NO_DATA, unreadable_error
from rsforge.data.io.rasters import read_info
from rsforge.data.pairs.dataset import turn_pair
from rsforge.data.pairs.folders import FolderPair
from rsforge.data.pairs.index import parse_scene_and_season
from rsforge.data.pairs.names import list_entries, modality_of_stem, name_stem, strip_token
from rsforge.data.pairs.pair import TIFF, Pair
from rsforge.data.pairs.reading import open_masked_optical, open_sar
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.tables.characters import compose
from rsforge.data.views.view import PLAIN, View
from rsforge.seeds import derive

SAR = 1
OPTICAL = 2


@dataclass(frozen=True)
class UnpairedImage:
    """An image file by itself; ``modality`` is 1 for SAR and 2 for optical, ``scene`` is empty where unknown.

    ``pairs`` are the names that a pair with this image would have; ``view`` says how it is read.
    """

    path: Path
    name: str
    modality: int
    scene: str = ""
    pairs: tuple[str, ...] = ()
    view: View = PLAIN


@dataclass(frozen=True)
class JudgedImage:
    """A usable image: SHA-256 of its file, size, bands as networks get them, footprint of a GeoTIFF.

    Some pixels of one with ``gaps`` hold no data.
    """

    image: UnpairedImage
    digest: str
    height: int
    width: int
    bands: int
    footprint: Footprint | None = None
    gaps: bool = False

    @property
    def name(self) -> str:
        return self.image.name


def list_unpaired_images(root: Path, layout: str, group: FolderPair) -> list[UnpairedImage]:
    """The SAR and then the optical images of a group, in natural order, without links that leave the root."""
    prefix = f"{group.name}/" if group.name else ""
    images = []
    for modality, folder in ((SAR, group.sar), (OPTICAL, group.optical)):
        for path in list_entries(folder, folders=False):
            word = modality_of_stem(path.stem) if group.sar == group.optical else modality
            if not is_inside(root, path) or word != modality:
                continue
            stem = compose(name_stem(path))
            key = strip_token(stem, modality)
            scene, _ = parse_scene_and_season(layout, group.name, key)
            pairs = (prefix + stem, prefix + key)
            images.append(UnpairedImage(path, path.relative_to(root).as_posix(), modality, scene, pairs))
    return images


def split_pair(pair: Pair, root: Path) -> list[UnpairedImage]:
    """The two images of a pair, each by itself."""
    return [
        UnpairedImage(path, path.relative_to(root).as_posix(), modality, pair.scene, (pair.name,), view)
        for modality, path, view in (
            (SAR, pair.sar, pair.views.sar),
            (OPTICAL, pair.optical, pair.views.optical),
        )
    ]


def judge_image(image: UnpairedImage, radiometry: Radiometry, allow_gray_optical: bool) -> JudgedImage:
    """Open and hash one image; RSF-D002, D009 and D010 as for pairs, RSF-D002 too where no pixel holds data."""
    if image.modality == SAR:
        values, valid = open_sar(image.path, radiometry, image.view)
    else:
        values, valid = open_masked_optical(image.path, image.view, allow_gray_optical=allow_gray_optical)
    if not valid.any():
        raise unreadable_error(image.path, NO_DATA)
    height, width, bands = values.shape
    footprint = read_info(image.path).footprint if image.path.suffix.lower() in TIFF else None
    return JudgedImage(image, file_digest(image.path), height, width, bands, footprint, not valid.all())


class ImageSource(Protocol):
    """Square images by index, float32 in [-1, 1]."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Tensor: ...


class _PairSource(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, key: tuple[int, int], /) -> Any: ...


class OneModality:
    """One of the two images of each pair of a plain dataset: ``position`` 0 for SAR, 1 for optical."""

    def __init__(self, pairs: _PairSource, position: int) -> None:
        self.pairs = pairs
        self.position = position

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.pairs[0, index][self.position]
        return image


class UnpairedDataset(Dataset[tuple[Tensor, Tensor]]):
    """SAR ``(C, S, S)`` and optical ``(3, S, S)`` of two sets, float32 in [-1, 1], addressed by (epoch, index).

    An epoch has as many items as the larger set has images; the smaller set is repeated. ``names`` are those of the SAR
    images. Their optical partners are shuffled by (seed, epoch), or keep their order without ``shuffle_partners``. Both
    images of an item are mirrored and turned alike. Where some have gaps, ``valid`` says where both hold data.
    """

    def __init__(
        self,
        sar: ImageSource,
        optical: ImageSource,
        names: Sequence[str],
        *,
        seed: int,
        flip: float = 0.0,
        half_turn: float = 0.0,
        shuffle_partners: bool = True,
    ) -> None:
        self.sar = sar
        self.optical = optical
        self.names = list(names)
        self.seed = seed
        self.flip, self.half_turn = flip, half_turn
        self.shuffle_partners = shuffle_partners

    def __len__(self) -> int:
        return max(len(self.sar), len(self.optical))

    def plain(self) -> UnpairedDataset:
        """The same images neither mirrored nor turned; caches are shared."""
        clone = copy.copy(self)
        clone.flip = clone.half_turn = 0.0
        return clone

    def name(self, index: int) -> str:
        return self.names[index % len(self.names)]

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return has_gaps(self.sar) or has_gaps(self.optical)

    def valid(self, key: tuple[int, int]) -> Tensor:
        """Where both images of an item hold data, bool ``(1, S, S)``."""
        places = self._find_images(key)
        known = [mask for one, place in zip((self.sar, self.optical), places, strict=True)
                 if (mask := masks_of(one)(place)) is not None]  # fmt: skip
        mask = torch.stack(known).all(0)
        return turn_pair(mask, mask, self.flip, self.half_turn, seed=self.seed, key=key)[0]

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        sar_index, optical_index = self._find_images(key)
        chances = self.flip, self.half_turn
        return turn_pair(self.sar[sar_index], self.optical[optical_index], *chances, seed=self.seed, key=key)

    def _find_images(self, key: tuple[int, int]) -> tuple[int, int]:
        """The places of the images of an item in their sets."""
        epoch, index = key
        if not 0 <= index < len(self):
            raise IndexError(index)
        # Item k is SAR image k with optical image p[k], where p is a permutation of the epoch: every optical image is
        # used once before any is used twice, and partners differ from epoch to epoch. Indices of the smaller set wrap
        # around. The item depends on (seed, epoch, index) alone, so that a resumed run gets the same partners.
        sar_index = index % len(self.sar)
        optical_index = index % len(self.optical)
        if self.shuffle_partners:
            optical_index = _draw_partners(self.seed, epoch, len(self.optical))[optical_index]
        return sar_index, optical_index


@lru_cache(maxsize=4)
def _draw_partners(seed: int, epoch: int, count: int) -> list[int]:
    generator = torch.Generator().manual_seed(derive(seed, "partners", epoch))
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order
