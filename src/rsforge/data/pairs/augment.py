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
from rsforge.data.images.gaps import has_gaps, masks_of
from rsforge.seeds import derive

_ROUNDING = 1e-3  # of the weights of resampling


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

    @property
    def has_gaps(self) -> bool:
        """Whether some image holds no data somewhere."""
        return has_gaps(self.pairs)

    def valid(self, key: tuple[int, int]) -> Tensor | None:
        """Where both images of ``key`` hold data, turned as they are: where nothing else was mixed in."""
        mask = masks_of(self.pairs)(key)
        if mask is None or not self.strengths.rotate_deg:
            return mask
        turn = _draw_changes(self._seed_draws(key))[0]
        return rotate(mask.float(), turn * self.strengths.rotate_deg) > 1 - _ROUNDING

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        return augment_pair(*self.pairs[key], self.strengths, self._seed_draws(key))

    def _seed_draws(self, key: tuple[int, int]) -> torch.Generator:
        return torch.Generator().manual_seed(derive(self.seed, "pair", *key))


def augment_pair(
    sar: Tensor, optical: Tensor, strengths: Strengths, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Both images of a pair, changed; the numbers drawn are the same whatever the strengths."""
    draws = _draw_changes(generator)
    noise = torch.randn(optical.shape, generator=generator)
    if strengths.rotate_deg:
        turned = rotate(torch.cat([sar, optical]), draws[0] * strengths.rotate_deg)
        sar, optical = turned[: len(sar)], turned[len(sar) :]
    if strengths.any_colour:
        optical = change_colours(optical, strengths, draws[1:])
    if strengths.noise:
        optical = (optical + 2 * strengths.noise * noise).clamp(-1, 1)
    return sar, optical


def _draw_changes(generator: torch.Generator) -> list[float]:
    """Numbers in [-1, 1]: of the rotation, and of brightness, contrast, saturation and hue."""
    draws: list[float] = (2 * torch.rand(5, generator=generator) - 1).tolist()
    return draws


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
