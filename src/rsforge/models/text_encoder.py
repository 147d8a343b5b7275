"""The text tower of CLIP, in the Hugging Face layout of ``CLIPTextModel``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.models.clip_blocks import ACTIVATIONS, Activation, Block, Encoder, FeedForward
from rsforge.models.interfaces import describe

EXPANSION = 4
FORMER_PREFIX = "text_model."
"""What names begin with in published folders, and in transformers before version 5."""


class _Embeddings(nn.Module):
    def __init__(self, vocab_size: int, width: int, max_length: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding.from_pretrained(torch.empty(vocab_size, width), freeze=False)
        self.position_embedding = nn.Embedding.from_pretrained(torch.zeros(max_length, width), freeze=False)
        _draw_normal(self.token_embedding.weight, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x: Tensor = self.token_embedding(tokens) + self.position_embedding.weight[: tokens.shape[1]]
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
            Block(embedding_dim, num_heads, FeedForward(embedding_dim, inner, hidden_act), causal=True, dropout=dropout)
            for _ in range(num_layers)
        )
        self.encoder = Encoder(blocks)
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
