"""Self-attention over the pixels of a feature map. Zhang et al. 2019 (SAGAN), Eq. 1-2."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """``(B, C, H, W)`` plus what other places hold, times ``gamma``, which starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(channels, max(1, channels // 8), 1) for _ in range(2))
        self.value = nn.Conv2d(channels, max(1, channels // 2), 1)
        self.out = nn.Conv2d(self.value.out_channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        # The fused kernels have no second derivative, which a gradient penalty needs.
        seen = v @ (q.mT @ k).softmax(2).mT
        mixed: Tensor = x + self.gamma * self.out(seen.unflatten(2, x.shape[2:]))
        return mixed
