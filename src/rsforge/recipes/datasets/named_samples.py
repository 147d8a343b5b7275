"""Samples under the names by which batches carry them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rsforge.engine.loader import IndexedDataset


class NamedSamples:
    """A dataset of tensors, or of tuples of tensors, as one of mappings: each under its name."""

    def __init__(self, samples: IndexedDataset, names: Sequence[str]) -> None:
        self.samples = samples
        self.names = tuple(names)

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        return self.samples.name(index)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        item: Any = self.samples[key]
        values = item if isinstance(item, tuple) else (item,)
        return dict(zip(self.names, values, strict=True))
