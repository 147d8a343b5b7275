"""Items of a dataset as one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.engine.loader import IndexedDataset


def stacked(samples: IndexedDataset, indices: range) -> Tensor:
    """Items of a plain dataset as one batch."""
    return torch.stack([samples[0, i] for i in indices if i < len(samples)])
