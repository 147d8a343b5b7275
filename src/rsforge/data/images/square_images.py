"""Files of images as squares in [-1, 1], kept in memory or read on access."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from rsforge.data.files.digests import file_digest
from rsforge.data.files.stack_paths import is_file
from rsforge.data.images.gaps import SquareMasks
from rsforge.data.io.image_reader import unreadable_error
from rsforge.data.io.threads import map_in_threads
from rsforge.errors import RsforgeError


class File(NamedTuple):
    """A file, the SHA-256 of its bytes, and whether some of its pixels hold no data."""

    path: Path
    digest: str
    gaps: bool = False


class SquareImages:
    """Square images from files, float32 in [-1, 1]: all read at once and shared with forked workers, or on access.

    ``read`` makes a tensor of a file, and ``read_mask`` says where the image of one with gaps holds data: bool
    ``(1, size, size)``. RSF-D002 for a file that vanished or changed since it was checked.
    """

    def __init__(
        self,
        files: Sequence[File],
        read: Callable[[Path], Tensor],
        read_mask: Callable[[Path], Tensor],
        *,
        size: int,
        keep: bool,
    ) -> None:
        self.files = list(files)
        self.read, self.read_mask = read, read_mask
        self.masks = SquareMasks([file.gaps for file in self.files], size, self._load_mask, keep=keep)
        self.cached: Tensor | None = None
        if keep:
            for index, image in enumerate(map_in_threads(self._load, range(len(self.files)))):
                if self.cached is None:
                    self.cached = image.new_empty(len(self.files), *image.shape)
                self.cached[index] = image

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        """float32 in [-1, 1]."""
        image = self._load(index) if self.cached is None else self.cached[index]
        return image.clone() if image.is_floating_point() else image.float() / 255 * 2 - 1

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return bool(self.masks)

    def valid(self, index: int) -> Tensor:
        """Where an image holds data."""
        return self.masks[index]

    def _load_mask(self, index: int) -> Tensor:
        return self.read_mask(self.files[index].path)

    def _load(self, index: int) -> Tensor:
        path, digest, _ = self.files[index]
        try:
            if not is_file(path) or file_digest(path) != digest:
                raise unreadable_error(path, "the file changed since it was first read")
            return self.read(path)
        except RsforgeError as error:
            error.where = error.where or str(path)
            raise
