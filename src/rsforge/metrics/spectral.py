"""How close predicted spectra are to measured ones, for each image.

Images are ``(B, C, H, W)``; ``valid`` ``(B, 1, H, W)`` is True where a pixel counts, everywhere when absent, and what
stands elsewhere may be anything. Where nothing counts the figure is not a number. Sums are in float64.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST_SHARE = 0.01
"""Of the mean magnitude of an image: relative errors of smaller values are taken relative to this."""


def sam_rad(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Mean spectral angle in radians, 0 to π, of each image ``(B,)``. Kruse et al. 1993.

    Pixels whose target is zero in every band have no direction and do not count; an output of zeros is at π/2.
    """
    output, target, counted = _clear(output, target, valid)
    lengths = [torch.linalg.vector_norm(x, dim=1, keepdim=True) for x in (output, target)]
    u, v = (x / length.where(length > 0, 1.0) for x, length in zip((output, target), lengths, strict=True))
    apart, together = (torch.linalg.vector_norm(w, dim=1, keepdim=True) for w in (u - v, u + v))
    return _mean(2 * torch.atan2(apart, together), counted & (lengths[1] > 0))


def sam_deg(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """:func:`sam_rad` in degrees, 0 to 180."""
    return sam_rad(output, target, valid) * (180 / math.pi)


def rmse(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Root mean square error over all bands and valid pixels of each image ``(B,)``, in the unit of the images."""
    return rmse_per_band(output, target, valid).square().mean(1).sqrt()


def rmse_per_band(output: Tensor, target: Tensor, valid: Tensor | None = None) -> Tensor:
    """Root mean square error of each band ``(B, C)``, in the unit of the images."""
    output, target, counted = _clear(output, target, valid)
    return _mean_per_band((output - target).square(), counted).sqrt()


def ergas(output: Tensor, target: Tensor, valid: Tensor | None = None, *, scale: float) -> Tensor:
    """Relative error of each image ``(B,)`` in percent, 0 when equal: ERGAS. Wald 2000, Eq. 2.

    ``100 / scale`` times the root mean square, over bands, of a band's RMSE by its mean; ``scale`` is how much coarser
    the pixels of the input were, 1 where they were not. Bands whose mean is zero do not count.
    """
    relative = rmse_per_band(output, target, valid)
    _, target, counted = _clear(output, target, valid)
    mean = _mean_per_band(target, counted)
    present = mean != 0
    squares = (relative / mean.where(present, 1.0)).square().where(present, 0.0)
    return 100 / scale * (squares.sum(1) / present.sum(1)).sqrt()


def mrae(output: Tensor, target: Tensor, valid: Tensor | None = None, *, least_share: float = LEAST_SHARE) -> Tensor:
    """Mean relative absolute error over all bands and valid pixels of each image ``(B,)``. Arad et al. 2022.

    An error is relative to the target's magnitude, or to ``least_share`` of the image's mean magnitude where that is
    larger: a target of zero would make the figure infinite. Not a number where the whole target is zero.
    """
    output, target, counted = _clear(output, target, valid)
    magnitude = target.abs()
    least = least_share * _mean(magnitude.mean(1, keepdim=True), counted)
    relative = (output - target).abs() / torch.maximum(magnitude, least[:, None, None, None])
    return _mean(relative.mean(1, keepdim=True), counted).where(least > 0, math.nan)


def _clear(output: Tensor, target: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Both in float64, zero where not valid, and the mask."""
    if output.shape != target.shape:
        raise ValueError(f"images of shapes {tuple(output.shape)} and {tuple(target.shape)} cannot be compared")
    if valid is None:
        valid = torch.ones_like(target[:, :1], dtype=torch.bool)
    return output.double().where(valid, 0.0), target.double().where(valid, 0.0), valid


def _mean_per_band(values: Tensor, valid: Tensor) -> Tensor:
    """``(B, C)`` over valid pixels of ``(B, C, H, W)``."""
    return values.where(valid, 0.0).sum((2, 3)) / valid.sum((2, 3))


def _mean(pixels: Tensor, valid: Tensor) -> Tensor:
    """``(B,)`` over valid pixels of ``(B, 1, H, W)``."""
    return _mean_per_band(pixels, valid)[:, 0]
