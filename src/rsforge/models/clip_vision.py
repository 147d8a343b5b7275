"""The image tower of CLIP, a vision transformer, in the Hugging Face layout of ``CLIPVisionModel``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.models.clip_blocks import Activation, Block, Encoder, FeedForward
from rsforge.models.interfaces import describe


class _Embeddings(nn.Module):
    """A vector of each patch and one for the whole image before them, with their positions."""

    def __init__(self, width: int, channels: int, patch_size: int, patches: int) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding = nn.Conv2d(channels, width, patch_size, stride=patch_size, bias=False)
        self.position_embedding = nn.Embedding.from_pretrained(torch.zeros(patches + 1, width), freeze=False)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embedding(x).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(x), 1, -1)
        y: Tensor = torch.cat([whole, patches], dim=1) + self.position_embedding.weight
        return y


class ClipVision(nn.Module):
    """Images ``(B, num_channels, image_size, image_size)``, normalised as in training, to one vector ``(B, width)``.

    State-dict names and shapes are those of ``CLIPVisionModel``. ``ValueError`` where ``num_heads`` does not divide
    ``width`` or ``patch_size`` not ``image_size``, and for images of another size. Radford et al. 2021, section 2.4.
    """

    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]

    def __init__(
        self,
        *,
        image_size: int = 224,
        patch_size: int = 32,
        width: int = 768,
        num_heads: int = 12,
        num_layers: int = 12,
        hidden_act: Activation = "quick_gelu",
        intermediate_size: int = 3072,
        num_channels: int = 3,
    ) -> None:
        architecture = describe("clip_vision", locals())
        if width % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {width}, the width of the image tower")
        if image_size % patch_size:
            raise ValueError(f"patches of {patch_size} pixels do not divide images of {image_size}")
        super().__init__()
        self.architecture, self.image_size, self.width = architecture, image_size, width
        self.embeddings = _Embeddings(width, num_channels, patch_size, (image_size // patch_size) ** 2)
        self.pre_layrnorm = nn.LayerNorm(width)  # as published
        self.encoder = Encoder(
            Block(width, num_heads, FeedForward(width, intermediate_size, hidden_act), causal=False)
            for _ in range(num_layers)
        )
        self.post_layernorm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (self.image_size, self.image_size):
            raise ValueError(f"images of {tuple(x.shape[-2:])} pixels, the image tower takes {self.image_size}")
        tokens = self.encoder(self.pre_layrnorm(self.embeddings(x)))
        whole: Tensor = self.post_layernorm(tokens[:, 0])
        return whole
