"""What every network that predicts bands has: the range of its output, and for stage 1 the ridge it starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.spectral.layers import full_precision, require_bands


class BandNetwork(nn.Module, ABC):
    """Images ``(B, in, H, W)`` to images of ``bands`` bands.

    ``receptive_field`` and ``tile_step`` say how a scene may be cut into tiles. In evaluation the output is held within
    the range of :meth:`set_range`; in training it is free, so that no gradient is lost. Until a range is set there is
    none.
    """

    architecture: dict[str, Any]
    __call__: Callable[..., Tensor]
    lowest: Tensor
    highest: Tensor
    residual_scale: Tensor

    tile_step = 1
    """In pixels of the input: tiles that begin at its multiples are computed as the whole scene is."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        largest = torch.finfo(torch.float32).max
        # Finite, because a checkpoint refuses numbers that are not.
        self.register_buffer("lowest", torch.full((bands,), -largest))
        self.register_buffer("highest", torch.full((bands,), largest))
        self.register_buffer("residual_scale", torch.ones(bands))

    @property
    @abstractmethod
    def receptive_field(self) -> int | None:
        """The side in input pixels of the square, around the pixel predicted, that it depends on.

        Odd; None where that is the whole image.
        """

    def set_range(self, lowest: Tensor, highest: Tensor) -> None:
        """The least and the greatest value of each band ``(bands,)``; ``ValueError`` for another shape."""
        _fill(self.lowest, lowest, "lowest values")
        _fill(self.highest, highest, "highest values")

    def set_residual_scale(self, scale: Tensor) -> None:
        """What one unit of the network's residual is worth in each band ``(bands,)``: the baseline's error there."""
        _fill(self.residual_scale, scale, "scales of the residual")

    def add_residual(self, baseline: Tensor, residual: Tensor) -> Tensor:
        """The output ``(B, bands, H, W)``: ``baseline`` plus the scaled ``residual``, held in range in evaluation."""
        return self.keep_range(baseline + residual * _per_band(self.residual_scale))

    def keep_range(self, y: Tensor) -> Tensor:
        """``y`` ``(B, bands, H, W)``, clamped to the range in evaluation; what is infinite becomes NaN there.

        An overflow would otherwise look like the least or the greatest value.
        """
        if self.training:
            return y
        return y.clamp(_per_band(self.lowest), _per_band(self.highest)).masked_fill(y.isinf(), torch.nan)


class RidgeNetwork(BandNetwork):
    """A network whose output is a per-pixel ridge solution plus a residual, which starts at zero.

    Sides stay as they are. Until :meth:`set_ridge` the ridge solution is zero.
    """

    ridge_weight: Tensor
    ridge_bias: Tensor

    def __init__(self, in_channels: int, bands: int) -> None:
        super().__init__(bands)
        self.register_buffer("ridge_weight", torch.zeros(bands, in_channels))
        self.register_buffer("ridge_bias", torch.zeros(bands))

    def set_ridge(self, weight: Tensor, bias: Tensor) -> None:
        """The linear solution ``weight (bands, in) @ x + bias (bands,)``; ``ValueError`` for other shapes."""
        _fill(self.ridge_weight, weight, "ridge weights")
        _fill(self.ridge_bias, bias, "ridge biases")

    def ridge(self, x: Tensor) -> Tensor:
        """The ridge solution ``(B, bands, H, W)`` of ``x`` ``(B, in, H, W)``, in full precision under autocast."""
        require_bands(x, self.ridge_weight.shape[1])
        with full_precision(x):
            return F.conv2d(x.to(self.ridge_weight.dtype), self.ridge_weight[:, :, None, None], self.ridge_bias)

    @abstractmethod
    def residual(self, x: Tensor, ridge: Tensor) -> Tensor:
        """What is added to ``ridge`` ``(B, bands, H, W)`` for the input ``x`` ``(B, in, H, W)``."""

    def forward(self, x: Tensor) -> Tensor:
        ridge = self.ridge(x)
        return self.add_residual(ridge, self.residual(x, ridge))


def _per_band(values: Tensor) -> Tensor:
    return values[:, None, None]


def _fill(buffer: Tensor, values: Tensor, name: str) -> None:
    if values.shape != buffer.shape:
        raise ValueError(f"{name} of shape {tuple(values.shape)}; {tuple(buffer.shape)} is expected")
    buffer.copy_(values)
