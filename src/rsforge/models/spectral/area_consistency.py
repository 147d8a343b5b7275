"""Exact consistency of two resolutions: the fine pixels nearest to predicted ones that average to given coarse ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor

from rsforge.models.spectral.null_space import project_to_measured

Part = tuple[slice, slice, Tensor]
"""Coarse pixels along one axis, the fine ones that they cover, and the weights ``(coarse, fine)`` of their means."""


def project_to_area_means(fine: Tensor, coarse: Tensor, scale: Fraction) -> tuple[Tensor, Tensor]:
    """The non-negative pixels nearest to ``fine`` whose area means are ``coarse``, and where they are.

    ``fine`` is ``(bands, floor(h * scale), floor(w * scale))``, ``coarse`` non-negative ``(bands, h, w)``; both begin
    at the same upper left corner, and the mean of a coarse pixel at the lower or right edge is over what there is of
    it. The second result ``(h, w)`` is True where all means are met (``project_to_measured``). NaN stays: a block of
    coarse pixels with common fine ones is left as it is where any value of it is not finite. ``ValueError`` for other
    shapes.
    """
    bands, height, width = coarse.shape
    size = (bands, math.floor(height * scale), math.floor(width * scale))
    if fine.shape != size:
        raise ValueError(f"fine pixels of shape {tuple(fine.shape)}; {size} is expected")
    nearest, met = fine.clone(), torch.zeros(height, width, dtype=torch.bool, device=fine.device)
    for rows in _cut_axis(height, scale, fine.device):
        for cols in _cut_axis(width, scale, fine.device):
            weights = torch.kron(rows[2], cols[2])
            count = (_periods(rows, height), _periods(cols, width))
            x = _to_blocks(fine[:, rows[1], cols[1]], count)
            y = _to_blocks(coarse[:, rows[0], cols[0]], count)
            z, holds = project_to_measured(x, weights, y)
            nearest[:, rows[1], cols[1]] = _from_blocks(z, count, (rows[2].shape[1], cols[2].shape[1]), bands)
            every = holds.expand(-1, len(weights), -1, -1)
            shape = (rows[2].shape[0], cols[2].shape[0])
            met[rows[0], cols[0]] = _from_blocks(every, count, shape, bands).all(0)
    return nearest, met


def area_means(fine: Tensor, height: int, width: int, scale: Fraction) -> Tensor:
    """The means ``(bands, height, width)`` over the areas of coarse pixels, of ``fine`` as for
    ``project_to_area_means``, in float64."""
    means = fine.new_empty(len(fine), height, width, dtype=torch.float64)
    for rows in _cut_axis(height, scale, fine.device):
        for cols in _cut_axis(width, scale, fine.device):
            count = (_periods(rows, height), _periods(cols, width))
            blocks = _to_blocks(fine[:, rows[1], cols[1]], count).double()
            averaged = torch.einsum("cp,xpbn->xcbn", torch.kron(rows[2], cols[2]), blocks)
            size = (rows[2].shape[0], cols[2].shape[0])
            means[:, rows[0], cols[0]] = _from_blocks(averaged, count, size, len(fine))
    return means


def _cut_axis(coarse: int, scale: Fraction, device: torch.device) -> Iterator[Part]:
    """Whole periods, in which fine pixels belong to no other, and what is left over."""
    period = scale.denominator
    whole = coarse // period * period
    for start, stop in ((0, whole), (whole, coarse)):
        if stop > start:
            first, last = math.floor(start * scale), math.floor(stop * scale)
            weights = _area_weights(min(period, stop - start), scale).to(device)
            yield slice(start, stop), slice(first, last), weights


def _area_weights(coarse: int, scale: Fraction) -> Tensor:
    """Weights ``(coarse, floor(coarse * scale))`` of the means of coarse pixels, rows of sum 1, float64."""
    weights = torch.zeros(coarse, math.floor(coarse * scale), dtype=torch.float64)
    for i in range(coarse):
        for j in range(weights.shape[1]):
            weights[i, j] = float(max(Fraction(0), min((i + 1) * scale, Fraction(j + 1)) - max(i * scale, Fraction(j))))
    return weights / weights.sum(1, keepdim=True)


def _periods(part: Part, coarse: int) -> int:
    start, stop, _ = part[0].indices(coarse)
    return (stop - start) // part[2].shape[0]


def _to_blocks(image: Tensor, count: tuple[int, int]) -> Tensor:
    """``(bands, H, W)`` as ``(1, pixels of a block, bands, blocks)``, for as many blocks down and across."""
    blocks = image.unflatten(2, (count[1], -1)).unflatten(1, (count[0], -1))  # (bands, down, h, across, w)
    rows: Tensor = blocks.permute(2, 4, 0, 1, 3).flatten(3).flatten(0, 1)
    return rows[None]


def _from_blocks(blocks: Tensor, count: tuple[int, int], size: tuple[int, int], bands: int) -> Tensor:
    """The inverse of ``_to_blocks``."""
    image = blocks[0].view(*size, bands, *count).permute(2, 3, 0, 4, 1)
    return image.flatten(3, 4).flatten(1, 2)
