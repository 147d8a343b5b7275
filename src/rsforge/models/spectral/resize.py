"""Bicubic resampling by an exact ratio: sizes and positions follow from whole numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.models.spectral.layers import full_precision

LARGEST_SCALE, LARGEST_TERM = 64, 1000


def parse_scale(scale: float | str) -> Fraction:
    """A scale as an exact ratio: 7.5, "7.5" and "15/2" are 15/2.

    ``ValueError`` unless it is from 1 to ``LARGEST_SCALE``, and neither term of the ratio is above ``LARGEST_TERM``.
    """
    ratio = Fraction(str(scale))
    if not 1 <= ratio <= LARGEST_SCALE or max(ratio.numerator, ratio.denominator) > LARGEST_TERM:
        raise ValueError(f"a scale of {scale}; from 1 to {LARGEST_SCALE} are known, as ratios of up to {LARGEST_TERM}")
    return ratio


def resize(x: Tensor, scale: Fraction) -> Tensor:
    """``(B, C, H, W)`` to ``(B, C, floor(H * scale), floor(W * scale))``, by Keys' cubic (1981, a = -1/2).

    Pixels are squares, and both images begin at the same upper left corner: output pixel j covers input j / scale to
    (j + 1) / scale, whatever the sizes, as :func:`torch.nn.functional.interpolate` does only where sizes divide.
    Below scale 1 the kernel is widened against aliasing. Beyond the border the outermost pixels are repeated. In full
    precision under autocast.
    """
    if scale == 1:
        return x
    with full_precision(x):
        return _resize_rows(_resize_rows(x, scale).mT, scale).mT


def average_areas(fine: Tensor, size: tuple[int, int], scale: Fraction) -> Tensor:
    """The means ``(B, C, h, w)`` of ``fine`` ``(B, C, floor(h * scale), floor(w * scale))`` over coarse pixels.

    ``size`` is ``(h, w)``; both images begin at the same upper left corner, and the mean of a coarse pixel at the lower
    or right edge is over what there is of it. In full precision under autocast.
    """
    with full_precision(fine):
        return _average_rows(_average_rows(fine, size[1], scale).mT, size[0], scale).mT


def _average_rows(x: Tensor, count: int, scale: Fraction) -> Tensor:
    """The last axis averaged to ``count`` pixels."""
    weights = _overlaps(scale).to(x)
    periods = -(-count // scale.denominator)

    def add_up(values: Tensor) -> Tensor:
        padded = F.pad(values, (0, periods * scale.numerator - values.shape[-1]))
        windows: Tensor = padded.unflatten(-1, (periods, scale.numerator))
        return (windows @ weights.T).flatten(-2)[..., :count]

    return add_up(x) / add_up(x.new_ones(x.shape[-1]))


@lru_cache(maxsize=32)
def _overlaps(scale: Fraction) -> Tensor:
    """How much ``q`` coarse pixels and ``p`` fine ones of a period overlap, ``(q, p)`` in widths of fine ones."""
    p, q = scale.numerator, scale.denominator
    fine = torch.arange(p, dtype=torch.float64, device="cpu")
    first = torch.tensor([float(k * scale) for k in range(q)], dtype=torch.float64, device="cpu")[:, None]
    return (torch.minimum(first + float(scale), fine + 1) - torch.maximum(first, fine)).clamp(min=0)


def _resize_rows(x: Tensor, scale: Fraction) -> Tensor:
    """The last axis resampled."""
    first, weights = _phases(scale)
    count, phases = math.floor(x.shape[-1] * scale), weights.shape[0]
    periods = -(-count // phases)
    end = (periods - 1) * scale.denominator + first + weights.shape[1]
    padded = F.pad(x, (-first, max(0, end - x.shape[-1]), 0, 0), mode="replicate")
    windows = padded.unfold(-1, weights.shape[1], scale.denominator)[..., :periods, :]
    return (windows @ weights.to(x).T).flatten(-2)[..., :count]


@lru_cache(maxsize=32)
def _phases(scale: Fraction) -> tuple[int, Tensor]:
    """The weights of one period: ``p`` output pixels for ``q`` input pixels at a scale of p / q.

    Output pixel ``m * p + r`` is the sum of ``weights[r] (p, K)`` times the ``K`` input pixels from ``m * q + first``.
    """
    p, stretch = scale.numerator, max(1.0, float(1 / scale))
    centres = (torch.arange(p, dtype=torch.float64, device="cpu") + 0.5) / float(scale) - 0.5
    first = math.ceil(float(centres[0]) - 2 * stretch)
    last = math.floor(float(centres[-1]) + 2 * stretch)
    places = torch.arange(first, last + 1, dtype=torch.float64, device="cpu")
    weights = _cubic((places - centres[:, None]).abs() / stretch)
    return first, weights / weights.sum(1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, torch.zeros_like(distance)))
