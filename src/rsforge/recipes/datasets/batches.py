"""Items of a dataset as one batch, and the index ranges of batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rsforge.engine.loader import IndexedDataset


def stack_samples(samples: IndexedDataset, indices: range) -> Tensor:
    """The items of a plain dataset at ``indices``, as one batch; indices past the end are left out."""
    return torch.stack([samples[0, index] for index in indices if index < len(samples)])


def index_ranges(count: int, size: int) -> Iterator[range]:
    """Ranges of at most ``size`` indices that together cover 0 to ``count``."""
    return (range(first, min(first + size, count)) for first in range(0, count, size))
