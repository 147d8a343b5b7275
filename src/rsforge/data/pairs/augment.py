"""Random augmentation of pairs: both images turned alike, and the optical image alone in other light."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.compat import ensure_torchvision
from rsforge.data.images.augment import jitter_colours
from rsforge.seeds import derive


@dataclass(frozen=True)
class Strengths:
    """How much is changed: ``rotate_deg`` in degrees, ``hue`` in turns, ``noise`` as a deviation in units of [0, 1].

    Brightness, contrast and saturation are scaled by factors from ``1 - strength`` to ``1 + strength``.
    """

    rotate_deg: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    noise: float = 0.0

    @property
    def any_colour(self) -> bool:
        return max(self.brightness, self.contrast, self.saturation, self.hue) > 0


class Pairs(Protocol):
    """Pairs of SAR ``(C, S, S)`` and optical ``(3, S, S)``, float in [-1, 1], addressed by (epoch, index)."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]: ...


class AugmentedPairs:
    """``pairs``, changed anew in every epoch by random numbers that depend on ``seed``, epoch and index alone."""

    def __init__(self, pairs: Pairs, strengths: Strengths, *, seed: int) -> None:
        self.pairs, self.strengths, self.seed = pairs, strengths, seed

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        return self.pairs.name(index)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(derive(self.seed, "pair", *key))
        return augment_pair(*self.pairs[key], self.strengths, generator)


def augment_pair(
    sar: Tensor, optical: Tensor, strengths: Strengths, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Both images of a pair, changed; the numbers drawn are the same whatever the strengths."""
    draws = (2 * torch.rand(5, generator=generator) - 1).tolist()
    noise = torch.randn(optical.shape, generator=generator)
    if strengths.rotate_deg:
        turned = rotate(torch.cat([sar, optical]), draws[0] * strengths.rotate_deg)
        sar, optical = turned[: len(sar)], turned[len(sar) :]
    if strengths.any_colour:
        optical = change_colours(optical, strengths, draws[1:])
    if strengths.noise:
        optical = (optical + 2 * strengths.noise * noise).clamp(-1, 1)
    return sar, optical


def rotate(x: Tensor, degrees: float) -> Tensor:
    """``(C, S, S)`` turned about its centre, bilinear; what lies outside is mirrored in."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    grid = F.affine_grid(x.new_tensor([[[c, -s, 0.0], [s, c, 0.0]]]), [1, *x.shape], align_corners=False)
    return F.grid_sample(x[None], grid, padding_mode="reflection", align_corners=False)[0]


def change_colours(optical: Tensor, strengths: Strengths, draws: list[float]) -> Tensor:
    """Brightness, contrast, saturation and hue of an image in [-1, 1], by four ``draws`` in [-1, 1]."""
    brightness, contrast, saturation, hue = draws
    factors = (
        max(0.0, 1 + strengths.brightness * brightness),
        max(0.0, 1 + strengths.contrast * contrast),
        max(0.0, 1 + strengths.saturation * saturation),
    )
    x = jitter_colours((optical + 1) / 2, *factors)
    if strengths.hue:
        ensure_torchvision()
        from torchvision.transforms.functional import adjust_hue

        x = adjust_hue(x, strengths.hue * hue)
    return x * 2 - 1
