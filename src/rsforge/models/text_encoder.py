"""The text tower of CLIP, in the Hugging Face layout of ``CLIPTextModel``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe

Activation = Literal["quick_gelu", "gelu"]
EXPANSION = 4
FORMER_PREFIX = "text_model."
"""What names begin with in published folders, and in transformers before version 5."""


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"quick_gelu": _quick_gelu, "gelu": F.gelu}


class _Embeddings(nn.Module):
    def __init__(self, vocab_size: int, width: int, max_length: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding.from_pretrained(torch.empty(vocab_size, width), freeze=False)
        self.position_embedding = nn.Embedding.from_pretrained(torch.zeros(max_length, width), freeze=False)
        _draw_normal(self.token_embedding.weight, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
        return x


class _CausalAttention(nn.Module):
    """Multi-head attention of tokens ``(B, N, width)`` to themselves and to those before them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        y: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int, activation: Activation) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(self.activation(self.fc1(x)))
        return y


class _Block(nn.Module):
    """Pre-norm attention and feed-forward, each added to its input; dropout acts on what is added."""

    def __init__(self, width: int, heads: int, dropout: float, mlp: _FeedForward) -> None:
        super().__init__()
        self.self_attn = _CausalAttention(width, heads)
        self.layer_norm1 = nn.LayerNorm(width)
        self.mlp = mlp
        self.layer_norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.self_attn(self.layer_norm1(x)))
        y: Tensor = x + self.dropout(self.mlp(self.layer_norm2(x)))
        return y


class _Encoder(nn.Module):
    def __init__(self, blocks: Iterable[_Block]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class TextEncoder(nn.Module):
    """Token ids ``(B, N)`` to one vector a token ``(B, N, embedding_dim)``, normalised: a denoiser's ``context``.

    A token sees itself and those before it, so that padding behind a text changes no vector of the text. ``N`` is at
    most ``max_length``. State-dict names and shapes are those of ``CLIPTextModel``; names with the prefix of published
    folders load too. ``hidden_act`` is ``quick_gelu`` in OpenAI's CLIP (Stable Diffusion 1.x) and ``gelu`` in OpenCLIP
    (2.x); the feed-forward layers are ``intermediate_size`` wide, else four times the embedding. ``ValueError`` where
    ``num_heads`` does not divide ``embedding_dim``, and for another activation. Radford et al. 2021.
    """

    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]

    def __init__(
        self,
        *,
        vocab_size: int = 1000,
        embedding_dim: int = 768,
        max_length: int = 77,
        num_heads: int = 12,
        num_layers: int = 12,
        dropout: float = 0.0,
        hidden_act: Activation = "quick_gelu",
        intermediate_size: int | None = None,
    ) -> None:
        architecture = describe("text_encoder", locals())
        if embedding_dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {embedding_dim}, the width of the embedding")
        if hidden_act not in ACTIVATIONS:
            raise ValueError(f"unknown hidden_act {hidden_act!r}; known are {', '.join(ACTIVATIONS)}")
        super().__init__()
        self.architecture, self.max_length, self.width = architecture, max_length, embedding_dim
        self.embeddings = _Embeddings(vocab_size, embedding_dim, max_length)
        inner = intermediate_size or EXPANSION * embedding_dim
        blocks = (
            _Block(embedding_dim, num_heads, dropout, _FeedForward(embedding_dim, inner, hidden_act))
            for _ in range(num_layers)
        )
        self.encoder = _Encoder(blocks)
        self.final_layer_norm = nn.LayerNorm(embedding_dim)
        self._initialise(num_layers)
        nn.Module.register_load_state_dict_pre_hook(self, _drop_former_prefix)

    def forward(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] > self.max_length:
            raise ValueError(f"{tokens.shape[1]} tokens, the text encoder takes {self.max_length}")
        context: Tensor = self.final_layer_norm(self.encoder(self.embeddings(tokens)))
        return context

    def _initialise(self, layers: int) -> None:
        """The deviations of CLIP's own initialisation, which keep the sum over the layers of the order of one."""
        into, out_of = self.width**-0.5, (2 * layers * self.width) ** -0.5
        for name, parameter in self.encoder.named_parameters():
            if parameter.ndim == 2:
                _draw_normal(parameter, out_of if "out_proj" in name or "fc2" in name else into)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)


def _draw_normal(parameter: nn.Parameter, std: float) -> None:
    """Draw a parameter that has memory; for one without, torch would first import its compiler, which takes seconds."""
    if not parameter.is_meta:
        nn.init.normal_(parameter, std=std)


def pool_last(context: Tensor, mask: Tensor) -> Tensor:
    """The vector ``(B, width)`` of the last token of each text, which has seen all of it.

    ``context`` is ``(B, N, width)``, ``mask`` ``(B, N)`` is True for the tokens of the text, which come first.
    """
    last = mask.sum(dim=1) - 1
    return context[torch.arange(len(context), device=context.device), last]


def _drop_former_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    former = prefix + FORMER_PREFIX
    for name in [name for name in state if name.startswith(former)]:
        weight = state.pop(name)
        if not name.endswith("position_ids"):  # a buffer of before: the numbers 0, 1, 2, ...
            state[prefix + name.removeprefix(former)] = weight
