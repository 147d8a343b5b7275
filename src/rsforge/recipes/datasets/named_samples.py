"""Samples under the names by which batches carry them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rsforge.data.images.gaps import find_with_data, masks_of
from rsforge.engine.loader import IndexedDataset
from rsforge.errors import RsforgeError
from rsforge.losses.gaps import VALID


class NamedSamples:
    """A dataset of tensors, or of tuples of tensors, as one of mappings: each under its name.

    Where some images hold no data somewhere, ``valid`` ``(1, S, S)`` is among them.
    """

    def __init__(self, samples: IndexedDataset, names: Sequence[str]) -> None:
        self.samples = samples
        self.names = tuple(names)
        self.valid_of = masks_of(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        item: Any = self.samples[key]
        values = item if isinstance(item, tuple) else (item,)
        valid = self.valid_of(key)
        return dict(zip(self.names, values, strict=True)) | ({} if valid is None else {VALID: valid})


class NoSamples:
    """A dataset without a sample, where nothing is held out."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, key: tuple[int, int]) -> Any:
        raise IndexError(key)

    def name(self, index: int) -> str:
        raise IndexError(index)


def require_data(**sides: IndexedDataset) -> None:
    """RSF-D004 for a side, by its name, whose images hold no data in any pixel of their squares."""
    for name, samples in sides.items():
        if len(samples) and next(find_with_data(samples, range(len(samples))), None) is None:
            what = f"the images of the side {name} hold no data in the squares of --image-size"
            raise RsforgeError(
                "RSF-D004",
                what,
                where="--data-dir",
                fix="see what masks, nodata and --fill leave by `rsforge data audit`",
            )


def unknown_scenes(samples: IndexedDataset) -> list[str]:
    """The scene of each of ``samples``, where none is known."""
    return [""] * len(samples)


def name_scenes(scenes: Mapping[str, str], samples: IndexedDataset) -> list[str]:
    """The scene of each of ``samples`` by its name, empty where unknown."""
    return [scenes.get(samples.name(index), "") for index in range(len(samples))]
