"""The transformer blocks of both towers of CLIP, in the Hugging Face layout. Radford et al. 2021."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Activation = Literal["quick_gelu", "gelu"]


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"quick_gelu": _quick_gelu, "gelu": F.gelu}


class SelfAttention(nn.Module):
    """Multi-head attention of tokens ``(B, N, width)`` to all of them, or with ``causal`` to none behind themselves."""

    def __init__(self, width: int, heads: int, *, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        y: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear layers around an activation; the inner ones are ``inner`` wide."""

    def __init__(self, width: int, inner: int, activation: Activation) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(self.activation(self.fc1(x)))
        return y


class Block(nn.Module):
    """Pre-norm attention and feed-forward, each added to its input; dropout acts on what is added."""

    def __init__(self, width: int, heads: int, mlp: FeedForward, *, causal: bool, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attn = SelfAttention(width, heads, causal=causal)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = mlp
        self.layer_norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.self_attn(self.layer_norm1(x)))
        y: Tensor = x + self.dropout(self.mlp(self.layer_norm2(x)))
        return y


class Encoder(nn.Module):
    """Blocks one after the other, on tokens ``(B, N, width)``."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x
