"""Attention within an image and from an image to its context, in the Hugging Face layout."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class _Attend(nn.Module):
    """Multi-head scaled dot-product attention. Vaswani et al. 2017, Eq. 1."""

    def __init__(self, width: int, *, heads: int, context_width: int | None = None, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=bias)
        self.to_k = nn.Linear(context_width or width, width, bias=bias)
        self.to_v = nn.Linear(context_width or width, width, bias=bias)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def attend(self, tokens: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        q, k, v = (self._split(x) for x in (self.to_q(tokens), self.to_k(context), self.to_v(context)))
        counting = None if mask is None else mask[:, None, None]
        mixed: Tensor = self.to_out(F.scaled_dot_product_attention(q, k, v, counting).transpose(1, 2).flatten(2))
        return mixed

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class Attention(_Attend):
    """Attention of tokens ``(B, N, width)`` to ``context`` ``(B, M, context_width)``, or to themselves.

    Tokens of the context count where ``mask`` ``(B, M)`` is True; where none does, the result is the output's bias.
    """

    def __init__(self, width: int, *, heads: int, context_width: int | None = None) -> None:
        super().__init__(width, heads=heads, context_width=context_width, bias=False)

    def forward(self, tokens: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return self.attend(tokens, tokens if context is None else context, mask)


class PixelAttention(_Attend):
    """One-head attention among the pixels of ``(B, C, H, W)``, added to them; the autoencoder's kind."""

    def __init__(self, channels: int, *, groups: int) -> None:
        super().__init__(channels, heads=1, bias=True)
        self.group_norm = nn.GroupNorm(groups, channels, eps=1e-6)
        nn.Module.register_load_state_dict_pre_hook(self, _rename_former_keys)

    def forward(self, x: Tensor) -> Tensor:
        tokens = to_tokens(self.group_norm(x))
        return x + to_image(self.attend(tokens, tokens), x)


# Stable Diffusion 1.x folders carry the names that these layers had before 2023.
_FORMER = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def _rename_former_keys(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for former, present in _FORMER.items():
        for kind in ("weight", "bias"):
            if f"{prefix}{former}.{kind}" in state:
                state[f"{prefix}{present}.{kind}"] = state.pop(f"{prefix}{former}.{kind}")


def to_tokens(x: Tensor) -> Tensor:
    """``(B, C, H, W)`` as ``(B, H·W, C)``, a view."""
    return x.flatten(2).transpose(1, 2)


def to_image(tokens: Tensor, like: Tensor) -> Tensor:
    """``(B, H·W, C)`` in the shape ``(B, C, H, W)`` of ``like``, a view."""
    return tokens.transpose(1, 2).view(like.shape)


class _GatedGelu(nn.Module):
    """Shazeer 2020 (GEGLU)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        hidden, gate = self.proj(x).chunk(2, dim=-1)
        y: Tensor = hidden * F.gelu(gate)
        return y


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # The middle entry keeps the place of a dropout that no published configuration uses.
        self.net = nn.Sequential(_GatedGelu(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return y


class TransformerBlock(nn.Module):
    """Self-attention, attention to the context where ``context_width`` is given, feed-forward."""

    def __init__(self, width: int, *, heads: int, context_width: int | None) -> None:
        super().__init__()
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn1 = Attention(width, heads=heads)
        self.ff = _FeedForward(width)
        self.attends_to_context = context_width is not None
        if self.attends_to_context:
            self.norm2 = nn.LayerNorm(width)
            self.attn2 = Attention(width, heads=heads, context_width=context_width)

    def forward(self, x: Tensor, context: Tensor | None, mask: Tensor | None = None) -> Tensor:
        x = x + self.attn1(self.norm1(x))
        if self.attends_to_context:
            x = x + self.attn2(self.norm2(x), context, mask)
        y: Tensor = x + self.ff(self.norm3(x))
        return y


class SpatialTransformer(nn.Module):
    """Transformer over the pixels of ``(B, C, H, W)``, added to them. Rombach et al. 2022, section E.2.1.

    ``linear`` only chooses whether the projections' weights are stored as matrices (Stable Diffusion 2) or as
    1×1 convolutions (Stable Diffusion 1).
    """

    def __init__(
        self, channels: int, *, heads: int, context_width: int | None, depth: int, groups: int, linear: bool
    ) -> None:
        super().__init__()
        self.linear = linear
        self.norm = nn.GroupNorm(groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, heads=heads, context_width=context_width) for _ in range(depth)
        )
        self.proj_out = nn.Linear(channels, channels) if linear else nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor | None, mask: Tensor | None = None) -> Tensor:
        h = self.norm(x)
        tokens = self.proj_in(to_tokens(h)) if self.linear else to_tokens(self.proj_in(h))
        for block in self.transformer_blocks:
            tokens = block(tokens, context, mask)
        if self.linear:
            return x + to_image(self.proj_out(tokens), x)
        y: Tensor = x + self.proj_out(to_image(tokens, x))
        return y
