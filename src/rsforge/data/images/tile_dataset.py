"""A folder of image tiles: checked once, split by content, and served by index."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from rsforge.data.files.digests import image_digest
from rsforge.data.files.walk import find_images, find_unread
from rsforge.data.images.augment import CENTRE, augment, mirror_mask, to_square
from rsforge.data.images.gaps import SquareMasks, mask_to_square
from rsforge.data.io.georeference import Mask
from rsforge.data.io.image_reader import NO_DATA, Pixels, UnreadableError, read_bytes, unreadable_error
from rsforge.data.io.threads import map_in_threads
from rsforge.data.views.colours import decode_with_mask
from rsforge.data.views.view import PLAIN, View
from rsforge.errors import RsforgeError
from rsforge.seeds import derive
from rsforge.wording import count_noun, join_first

Bad = tuple[str, str]


@dataclass(frozen=True)
class Tile:
    """A readable image; ``name`` is its path below the root, ``digest`` that of its bytes, read by ``view``.

    Some pixels of one with ``gaps`` hold no data.
    """

    path: Path
    name: str
    digest: str
    width: int
    height: int
    view: View = PLAIN
    gaps: bool = False


@dataclass(frozen=True)
class TileIndex:
    """The images of a folder: ``bad`` are (name, reason), ``duplicates`` (name, name of the first copy).

    ``fixes`` are the remedies of bad images that are options, ``unread`` the names of images whose kind is not read.
    """

    root: Path
    tiles: list[Tile]
    bad: list[Bad] = field(default_factory=list)
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    fixes: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-256 over the (name, digest) rows of the tiles."""
        return _digest_rows(f"{tile.name}\0{tile.digest}" for tile in self.tiles)

    def summary(self) -> str:
        parts = [count_noun(len(self.tiles), "image")]
        if self.duplicates:
            parts.append(f"{count_noun(len(self.duplicates), 'duplicate')} left out")
        if self.bad:
            parts.append(f"{len(self.bad)} unreadable left out")
        return ", ".join(parts)


def _digest_rows(rows: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode(errors="surrogateescape")).hexdigest()


def scan(
    root: Path,
    *,
    on_bad: Literal["error", "skip"] = "error",
    exclude: Path | None = None,
    view: View = PLAIN,
    progress: Callable[[int, int], None] | None = None,
) -> TileIndex:
    """Read, hash and completely decode every image under ``root`` once; ``progress`` is called with (done, total).

    Images are read by ``view``: those of more than 8 bits need the range that it declares.

    Of identical files the first is kept; the folder ``exclude`` is not entered. Unreadable images raise RSF-D002, or
    are left out with ``on_bad="skip"``; RSF-D001 when none is found or left.
    """
    paths = find_images(root, exclude=exclude)
    index = TileIndex(root, [], unread=find_unread(root, exclude=exclude))
    first_names: dict[str, str] = {}
    for done, judged in enumerate(map_in_threads(lambda path: _judge_tile(root, path, view), paths), 1):
        if isinstance(judged, _BadTile):
            index.bad.append((judged.name, judged.reason))
            index.fixes.append(judged.fix)
        elif judged.digest in first_names:
            index.duplicates.append((judged.name, first_names[judged.digest]))
        else:
            first_names[judged.digest] = judged.name
            index.tiles.append(judged)
        if progress is not None:
            progress(done, len(paths))
    if index.bad and (on_bad == "error" or not index.tiles):
        raise _unreadable_images_error(index, on_bad)
    return index


class _BadTile(NamedTuple):
    """An image that cannot be used, why, and the remedy where that is an option."""

    name: str
    reason: str
    fix: str


def scan_one(path: Path, view: View = PLAIN) -> TileIndex:
    """The one image at ``path``; RSF-D002 when it cannot be read."""
    judged = _judge_tile(path.parent, path, view)
    if isinstance(judged, _BadTile):
        raise unreadable_error(path, judged.reason, judged.fix)
    return TileIndex(path, [judged])


def _judge_tile(root: Path, path: Path, view: View) -> Tile | _BadTile:
    name = path.relative_to(root).as_posix()
    try:
        data = read_bytes(path)
        pixels, valid = decode_with_mask(path, data, view)
    except UnreadableError as reason:
        return _BadTile(name, str(reason), reason.fix)
    if valid is not None and not valid.any():
        return _BadTile(name, NO_DATA, "")
    height, width = pixels.shape[:2]
    return Tile(path, name, image_digest(path, data), width, height, view, gaps=valid is not None)


def _unreadable_images_error(index: TileIndex, on_bad: str) -> RsforgeError:
    found = join_first([f"{name}: {reason}" for name, reason in index.bad], 5)
    where = str(index.root)
    count = count_noun(len(index.bad), "image")
    if on_bad == "skip":
        what = f"No images found in {index.root}: none of {count} can be read"
        return RsforgeError("RSF-D001", what, where=where, found=found, fix=Counter(index.fixes).most_common(1)[0][0])
    fix = Counter(index.fixes).most_common(1)[0][0]
    if not fix:
        fix = "repair or remove the named files, or continue without them by --on-bad skip"
    return RsforgeError("RSF-D002", f"{count} cannot be read", where=where, found=found, fix=fix)


class HasDigest(Protocol):
    """Anything that is identified by the SHA-256 of its contents."""

    @property
    def digest(self) -> str: ...


def split_digest(train: Iterable[HasDigest], val: Iterable[HasDigest]) -> str:
    """SHA-256 of the contents of both subsets, whatever the names and their order."""
    subsets = (("train", train), ("val", val))
    return _digest_rows(f"{subset} {digest}" for subset, tiles in subsets for digest in sorted(t.digest for t in tiles))


class TileDataset(Dataset[Tensor]):
    """Tiles as float ``(3, image_size, image_size)`` in [-1, 1], addressed by (epoch, index).

    The same key gives the same tensor in every process. With ``random_crop`` the square lies elsewhere along the longer
    side in each epoch, and tiles are decoded on access. Up to ``keep_bytes`` the resized tiles are cached in one uint8
    tensor, which forked loader workers share; above that they are decoded on access. Where some have gaps, ``valid``
    says where the image of a key holds data. RSF-D002 for a file that vanished or changed since the scan.
    """

    def __init__(
        self,
        tiles: Sequence[Tile],
        *,
        image_size: int,
        seed: int,
        flip: float = 0.5,
        jitter: float = 0.0,
        random_crop: bool = False,
        keep_bytes: int = 1 << 30,
    ) -> None:
        self.tiles = list(tiles)
        self.image_size = image_size
        self.seed = seed
        self.flip = flip
        self.jitter = jitter
        self.random_crop = random_crop
        self.cached: Tensor | None = None
        keep = not random_crop and len(self.tiles) * 3 * image_size**2 <= keep_bytes
        self.masks = SquareMasks([tile.gaps for tile in self.tiles], image_size, self._load_mask, keep=keep)
        if keep:
            self.cached = torch.empty(len(self.tiles), 3, image_size, image_size, dtype=torch.uint8)
            for index, image in enumerate(map_in_threads(self._load, range(len(self.tiles)))):
                self.cached[index] = image

    def __len__(self) -> int:
        return len(self.tiles)

    def plain(self) -> TileDataset:
        """The same tiles without augmentation; the cache is shared."""
        clone = copy.copy(self)
        clone.flip = clone.jitter = 0.0
        clone.random_crop = False
        return clone

    def name(self, index: int) -> str:
        return self.tiles[index].name

    @property
    def has_gaps(self) -> bool:
        """Whether some tile holds no data somewhere."""
        return bool(self.masks)

    def valid(self, key: tuple[int, int]) -> Tensor:
        """Where the image of ``key`` holds data, bool ``(1, image_size, image_size)``."""
        epoch, index = key
        moved = self.random_crop and self.tiles[index].gaps
        mask = self._load_mask(index, self._place(epoch, index)) if moved else self.masks[index]
        return mirror_mask(mask, seed=self.seed, epoch=epoch, index=index, flip=self.flip)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        epoch, index = key
        place = self._place(epoch, index)
        image = self._load(index, place) if self.cached is None else self.cached[index]
        return augment(image, seed=self.seed, epoch=epoch, index=index, flip=self.flip, jitter=self.jitter)

    def _place(self, epoch: int, index: int) -> float:
        return (derive(self.seed, "crop", epoch, index) % 4096) / 4095 if self.random_crop else CENTRE

    def _load(self, index: int, place: float = CENTRE) -> Tensor:
        try:
            return to_square(self._decode(index)[0], self.image_size, place)
        except RsforgeError as error:
            error.where = str(self.tiles[index].path)
            raise

    def _load_mask(self, index: int, place: float = CENTRE) -> Tensor:
        pixels, valid = self._decode(index)
        return mask_to_square(np.ones(pixels.shape[:2], bool) if valid is None else valid, self.image_size, place)

    def _decode(self, index: int) -> tuple[Pixels, Mask | None]:
        tile = self.tiles[index]
        try:
            data = read_bytes(tile.path)
            if image_digest(tile.path, data) != tile.digest:
                raise UnreadableError("the file changed since it was first read")
            return decode_with_mask(tile.path, data, tile.view)
        except UnreadableError as reason:
            raise unreadable_error(tile.path, str(reason), reason.fix) from None
