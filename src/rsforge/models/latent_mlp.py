"""The denoiser of vector latents: a U of fully connected residual blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from rsforge.models.embedding import TimeEmbedding
from rsforge.models.interfaces import Denoiser, describe

GROUPS = 8


class _Residual(nn.Module):
    """Two normalised linear layers beside a shortcut, with the time embedding added between them."""

    def __init__(self, in_width: int, out_width: int, time_dim: int, dropout: float) -> None:
        super().__init__()
        self.first = _layer(in_width, out_width, dropout)
        self.time = nn.Linear(time_dim, out_width)
        self.second = _layer(out_width, out_width, dropout)
        self.shortcut = nn.Identity() if in_width == out_width else nn.Linear(in_width, out_width)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        y: Tensor = self.shortcut(x) + self.second(self.first(x) + self.time(emb))
        return y


def _layer(in_width: int, out_width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_width, out_width), nn.GroupNorm(GROUPS, out_width), nn.SiLU(), nn.Dropout(dropout)
    )


class LatentMlp(Denoiser):
    """Predict ``(B, latent_dim)`` from ``x_t`` of that shape; ``hidden`` widths are multiples of 8.

    The way down has one block per width, the way up meets its results in reverse, the deepest excepted. Takes
    ``x_t`` and ``t`` alone (``ValueError``).
    """

    def __init__(
        self,
        *,
        latent_dim: int = 128,
        hidden: Sequence[int] = (256, 256, 512, 512),
        time_dim: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.architecture = describe("latent_mlp", locals())
        hidden = tuple(hidden)
        self.time_embedding = TimeEmbedding(time_dim, time_dim)
        self.enter = nn.Linear(latent_dim, hidden[0])
        self.down = nn.ModuleList(_Residual(i, o, time_dim, dropout) for i, o in pairwise((hidden[0], *hidden)))
        self.middle = nn.ModuleList(_Residual(hidden[-1], hidden[-1], time_dim, dropout) for _ in range(2))
        self.up = nn.ModuleList(_Residual(i + o, o, time_dim, dropout) for i, o in pairwise(reversed(hidden)))
        self.leave = nn.Sequential(nn.Linear(hidden[0], hidden[0]), nn.SiLU(), nn.Linear(hidden[0], latent_dim))

    def forward(
        self,
        x_t: Tensor,
        t: Tensor | int,
        context: Tensor | None = None,
        condition: Tensor | None = None,
        context_mask: Tensor | None = None,
        vector: Tensor | None = None,
    ) -> Tensor:
        if any(x is not None for x in (context, condition, context_mask, vector)):
            raise ValueError("a LatentMlp takes neither context, condition nor vector")
        emb = self.time_embedding(t, x_t)
        x, skips = self.enter(x_t), []
        for block in self.down:
            x = block(x, emb)
            skips.append(x)
        for block in self.middle:
            x = block(x, emb)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat([x, skip], dim=1), emb)
        y: Tensor = self.leave(x)
        return y

    def start_at_zero(self) -> None:
        for parameter in self.leave[-1].parameters():
            nn.init.zeros_(parameter)
