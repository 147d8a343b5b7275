"""Timesteps and other numbers as vectors of the embedding's width."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sinusoidal(t: Tensor, width: int) -> Tensor:
    """Cosines then sines of ``t`` ``(B,)`` at geometric frequencies 1 … 1e-4, float32 ``(B, width)``.

    ``width`` is even. Vaswani et al. 2017, section 3.5, in the order of Stable Diffusion.
    """
    # float32 throughout, as in the networks whose pretrained weights have to fit.
    exponents = -math.log(10_000) * torch.arange(width // 2, dtype=torch.float32, device=t.device)
    angles = t[:, None].float() * torch.exp(exponents / (width // 2))
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Two-layer perceptron over the sinusoids of a timestep."""

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__()
        self.sinusoids = sinusoids
        self.linear_1 = nn.Linear(sinusoids, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, t: Tensor | int, x_t: Tensor) -> Tensor:
        """``(B, width)`` for ``t`` ``(B,)`` or scalar, with batch, device and dtype of ``x_t``."""
        # len(x_t) would fix the batch of an exported program.
        steps = torch.as_tensor(t, device=x_t.device).expand(x_t.shape[0])
        hidden: Tensor = self.linear_1(sinusoidal(steps, self.sinusoids).to(x_t.dtype))
        embedding: Tensor = self.linear_2(F.silu(hidden))
        return embedding


class VectorEmbedding(nn.Module):
    """Two-layer perceptron that brings a vector ``(B, D)`` to the width of the time embedding."""

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(in_width, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.linear_2(F.silu(self.linear_1(x)))
        return embedding
