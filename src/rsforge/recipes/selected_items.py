"""Some of the items of a dataset, as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.engine.loader import IndexedDataset


class SelectedItems:
    """Some items of a dataset, numbered from 0."""

    def __init__(self, dataset: IndexedDataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def name(self, index: int) -> str:
        return self.dataset.name(self.indices[index])

    @property
    def has_gaps(self) -> bool:
        """Whether some image of the dataset holds no data somewhere."""
        return has_gaps(self.dataset)

    def valid(self, key: tuple[int, int]) -> Tensor | None:
        """Where the images of an item hold data."""
        epoch, index = key
        return masks_of(self.dataset)((epoch, self.indices[index]))

    def __getitem__(self, key: tuple[int, int]) -> Any:
        epoch, index = key
        return self.dataset[epoch, self.indices[index]]
