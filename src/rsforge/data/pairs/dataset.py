"""Pairs of SAR and optical images: checked once, and served by index as squares in [-1, 1]."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.files.digests import file_digest
from rsforge.data.images.augment import crop_centre, to_square
from rsforge.data.images.gaps import mask_to_square
from rsforge.data.images.square_images import File, SquareImages
from rsforge.data.io.threads import map_in_threads
from rsforge.data.pairs.pair import PLAIN_PAIR, Pair
from rsforge.data.pairs.reading import open_optical, open_pair, open_sar, open_valid
from rsforge.data.sar.radiometry import Radiometry
from rsforge.data.views.view import PLAIN, Modality, PairViews, View
from rsforge.errors import RsforgeError
from rsforge.seeds import derive

T = TypeVar("T")
R = TypeVar("R")
Refusal = tuple[str, RsforgeError]
"""The name of an item that cannot be used, and why."""


_REASONS = ("RSF-D002", "RSF-D009", "RSF-D010")


@dataclass(frozen=True)
class JudgedPair:
    """A usable pair: size, SAR bands as networks get them, SHA-256 of both files together (``digest``) and of each.

    ``gaps`` says of each image whether some of its pixels hold no data.
    """

    pair: Pair
    digest: str
    height: int
    width: int
    sar_bands: int
    files: tuple[str, str]
    gaps: tuple[bool, bool] = (False, False)

    @property
    def name(self) -> str:
        return self.pair.name

    @property
    def sar(self) -> File:
        """The file of the SAR image."""
        return File(self.pair.sar, self.files[0], self.gaps[0])

    @property
    def optical(self) -> File:
        """The file of the optical image."""
        return File(self.pair.optical, self.files[1], self.gaps[1])


def judge_pairs(
    pairs: Sequence[Pair],
    radiometry: Radiometry,
    *,
    allow_gray_optical: bool = False,
    progress: Callable[[], None] | None = None,
) -> tuple[list[JudgedPair], list[Refusal]]:
    """Open and hash every pair once: usable pairs, and the names of others with RSF-D002, D009 or D010.

    ``progress`` is called after each pair.
    """
    judge = partial(_judge_pair, radiometry=radiometry, allow_gray_optical=allow_gray_optical)
    judged: list[JudgedPair] = []
    refused: list[Refusal] = []
    for pair, outcome in judge_in_threads(judge, pairs):
        if isinstance(outcome, RsforgeError):
            refused.append((pair.name, outcome))
        else:
            judged.append(outcome)
        if progress is not None:
            progress()
    return judged, refused


def _judge_pair(pair: Pair, radiometry: Radiometry, allow_gray_optical: bool) -> JudgedPair:
    opened = open_pair(pair, radiometry, allow_gray_optical=allow_gray_optical)
    files = file_digest(pair.sar), file_digest(pair.optical)
    height, width, bands = opened.sar.shape
    digest = hashlib.sha256("".join(files).encode()).hexdigest()
    return JudgedPair(pair, digest, height, width, bands, files, opened.gaps)


def judge_in_threads(judge: Callable[[T], R], things: Iterable[T]) -> Generator[tuple[T, R | RsforgeError]]:
    """Each of ``things`` in order, with the result of ``judge`` or the error that makes it unusable."""

    def judge_or_refuse(thing: T) -> tuple[T, R | RsforgeError]:
        try:
            return thing, judge(thing)
        except RsforgeError as error:
            if error.code not in _REASONS:
                raise
            return thing, error

    return map_in_threads(judge_or_refuse, things)


def read_sar_square(path: Path, radiometry: Radiometry, size: int, view: View = PLAIN) -> Tensor:
    """The centre square of a SAR image, read by ``view``: float32 ``(C, size, size)`` in [-1, 1]."""
    return read_sar_view(path, radiometry, size, view).values


@dataclass(frozen=True)
class SarView:
    """The centre square of a SAR image, of ``height`` x ``width`` pixels, at the size of a network.

    ``values`` are float32 ``(C, size, size)`` in [-1, 1], -1 in gaps; ``valid`` ``(size, size)`` says where none is.
    """

    values: Tensor
    valid: Tensor
    height: int
    width: int


def read_sar_view(path: Path, radiometry: Radiometry, size: int, view: View = PLAIN) -> SarView:
    """The centre square of a SAR image, and where it holds data: where most of a pixel's weights do."""
    values, valid = open_sar(path, radiometry, view)
    bands = [*np.moveaxis(values, -1, 0), valid.astype(np.float32)]
    *squares, share = [np.array(crop_centre(Image.fromarray(band), size)) for band in bands]
    # Bicubic resampling overshoots at edges.
    tensor = torch.from_numpy(np.stack(squares)).clamp_(-1, 1)
    return SarView(tensor, torch.from_numpy(share > 0.5), *valid.shape)


def read_optical_square(path: Path, size: int, allow_gray: bool, view: View = PLAIN) -> Tensor:
    """The centre square of an optical image, read by ``view``: uint8 ``(3, size, size)``."""
    unit = open_optical(path, view, allow_gray_optical=allow_gray)
    return to_square(np.rint((unit + 1) * 127.5).astype(np.uint8), size)


def read_valid_square(path: Path, size: int, view: View, modality: Modality) -> Tensor:
    """Where the centre square of an image, read by ``view``, holds data: bool ``(1, size, size)``."""
    return mask_to_square(open_valid(path, view, modality), size)


def open_squares(
    sar: Sequence[File],
    optical: Sequence[File],
    radiometry: Radiometry,
    *,
    bands: int,
    image_size: int,
    allow_gray_optical: bool,
    keep_bytes: int,
    views: PairViews,
) -> tuple[SquareImages, SquareImages]:
    """The SAR files, of ``bands`` bands, and the optical files as squares, cached if they fit into ``keep_bytes``."""
    keep = (4 * bands * len(sar) + 3 * len(optical)) * image_size**2 <= keep_bytes
    read_sar = partial(read_sar_square, radiometry=radiometry, size=image_size, view=views.sar)
    read_optical = partial(read_optical_square, size=image_size, allow_gray=allow_gray_optical, view=views.optical)
    sar_mask = partial(read_valid_square, size=image_size, view=views.sar, modality="sar")
    optical_mask = partial(read_valid_square, size=image_size, view=views.optical, modality="optical")
    return (
        SquareImages(sar, read_sar, sar_mask, size=image_size, keep=keep),
        SquareImages(optical, read_optical, optical_mask, size=image_size, keep=keep),
    )


class PairDataset(Dataset[tuple[Tensor, Tensor]]):
    """Pairs as SAR ``(C, S, S)`` and optical ``(3, S, S)``, float32 in [-1, 1], addressed by (epoch, index).

    Both images of a pair are scaled, cropped and, with probabilities ``flip`` and ``half_turn``, mirrored and turned
    alike; the same key gives the same tensors in every process. They are cached up to ``keep_bytes``. Where some have
    gaps, ``valid`` says where both images of a key hold data. RSF-D002 for files that changed, RSF-D003 for images too
    elongated.
    """

    def __init__(
        self,
        judged: Sequence[JudgedPair],
        *,
        radiometry: Radiometry,
        image_size: int,
        seed: int,
        flip: float = 0.0,
        half_turn: float = 0.0,
        allow_gray_optical: bool = False,
        keep_bytes: int = 1 << 30,
    ) -> None:
        self.judged = list(judged)
        self.seed = seed
        self.flip, self.half_turn = flip, half_turn
        self.sar, self.optical = open_squares(
            [one.sar for one in judged],
            [one.optical for one in judged],
            radiometry,
            bands=max((one.sar_bands for one in judged), default=1),
            image_size=image_size,
            allow_gray_optical=allow_gray_optical,
            keep_bytes=keep_bytes,
            views=judged[0].pair.views if judged else PLAIN_PAIR,
        )

    def __len__(self) -> int:
        return len(self.judged)

    def plain(self) -> PairDataset:
        """The same pairs neither mirrored nor turned; the cache is shared."""
        clone = copy.copy(self)
        clone.flip = clone.half_turn = 0.0
        return clone

    def name(self, index: int) -> str:
        return self.judged[index].name

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return self.sar.has_gaps or self.optical.has_gaps

    def valid(self, key: tuple[int, int]) -> Tensor:
        """Where both images of ``key`` hold data, bool ``(1, S, S)``."""
        mask = self.sar.valid(key[1]) & self.optical.valid(key[1])
        return turn_pair(mask, mask, self.flip, self.half_turn, seed=self.seed, key=key)[0]

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        _, index = key
        chances = self.flip, self.half_turn
        return turn_pair(self.sar[index], self.optical[index], *chances, seed=self.seed, key=key)


def turn_pair(
    sar: Tensor, optical: Tensor, flip: float, half_turn: float, *, seed: int, key: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Both images, with chance ``flip`` mirrored left to right, and with ``half_turn`` turned by 180 degrees.

    ``seed`` and ``key`` decide. Either reverses the side from which the radar looks, and a half turn the sun too.
    """
    generator = torch.Generator().manual_seed(derive(seed, "mirror", *key))
    first, second = torch.rand(2, generator=generator).tolist()
    mirrored, turned = first < flip, second < half_turn
    axes = [-2] * turned + [-1] * (mirrored != turned)
    return (sar.flip(axes), optical.flip(axes)) if axes else (sar, optical)
