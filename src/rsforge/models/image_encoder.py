"""A small convolutional image tower, and what brings both towers of a contrastive model to one space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.resnet import Downsample, ResnetBlock, group_count

EPS = 1e-6
FIRST_TEMPERATURE, MOST_SCALE = 0.07, 100.0


class ImageEncoder(nn.Module):
    """Images ``(B, 3, H, W)`` in [-1, 1] to one vector each ``(B, channels[-1])``, the mean over their pixels.

    One residual block a level; each level halves the sides, which may have any size.
    """

    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]

    def __init__(self, *, in_channels: int = 3, channels: Sequence[int] = (64, 128, 256, 512)) -> None:
        architecture = describe("image_encoder", locals())
        super().__init__()
        groups = group_count(channels)
        self.architecture, self.width = architecture, channels[-1]
        self.conv_in = nn.Conv2d(in_channels, channels[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(
                Downsample(before, symmetric=True),
                ResnetBlock(before, after, groups=groups, eps=EPS),
            )
            for before, after in pairwise((channels[0], *channels))
        )
        self.conv_norm_out = nn.GroupNorm(groups, channels[-1], eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv_in(x)
        for level in self.levels:
            h = level(h)
        return F.silu(self.conv_norm_out(h)).mean(dim=(2, 3))


class ContrastiveHead(nn.Module):
    """Linear maps of both towers' vectors to one space, and the learnable scale of their similarities.

    Names are those of Hugging Face's ``CLIPModel``. Radford et al. 2021, section 2.4: the temperature starts at 0.07,
    and the scale is at most 100.
    """

    architecture: dict[str, Any]

    def __init__(self, *, text_width: int = 768, image_width: int = 512, width: int = 512) -> None:
        architecture = describe("contrastive_head", locals())
        super().__init__()
        self.architecture = architecture
        self.text_projection = nn.Linear(text_width, width, bias=False)
        self.visual_projection = nn.Linear(image_width, width, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / FIRST_TEMPERATURE)))

    def embed_texts(self, x: Tensor) -> Tensor:
        """Unit vectors ``(B, width)`` of texts."""
        return F.normalize(self.text_projection(x).float(), dim=-1)

    def embed_images(self, x: Tensor) -> Tensor:
        """Unit vectors ``(B, width)`` of images."""
        return F.normalize(self.visual_projection(x).float(), dim=-1)

    @property
    def scale(self) -> Tensor:
        """The factor of similarities, one over the temperature."""
        return self.logit_scale.exp().clamp(max=MOST_SCALE)
