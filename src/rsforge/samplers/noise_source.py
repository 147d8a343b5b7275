"""Noise that belongs to the image, not to the batch it is drawn in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rsforge.seeds import derive


class SeededNoise:
    """Standard normal noise where image ``i`` depends on ``(seed, i)`` alone, in any batch on any device.

    ``indices`` are the numbers of the batch's images in the whole job.
    """

    def __init__(self, seed: int, indices: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(derive(seed, "image", i)) for i in indices]

    def draw(self, like: Tensor) -> Tensor:
        """The next noise, with the shape, dtype and device of ``like`` ``(len(indices), …)``.

        Drawn on the CPU in float32. Raises ``ValueError`` for another batch size.
        """
        if len(like) != len(self.generators):
            raise ValueError(f"noise for {len(self.generators)} images asked for {len(like)}")
        rows = [torch.randn(like.shape[1:], generator=g, dtype=torch.float32) for g in self.generators]
        return torch.stack(rows).to(like)
