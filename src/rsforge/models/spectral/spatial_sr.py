"""Spatial super-resolution of many bands by any rational scale, on top of bicubic resampling."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.recompute import Recomputable
from rsforge.models.spectral.back_projection import REACH, correct_means, fill_holes
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.models.spectral.layers import ChannelAttention, MirrorConv, make_zero, require_bands
from rsforge.models.spectral.resize import parse_scale, resize

REDUCTION = 16


class _AttentionBlock(Recomputable):
    """Two convolutions and channel attention, added to their input. Zhang et al. 2018 (RCAN), section 3.3."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        attention = ChannelAttention(width, reduction=REDUCTION, window=window)
        self.layers = nn.Sequential(MirrorConv(width, width), nn.ReLU(), MirrorConv(width, width), attention)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.recompute(self.layers, x)


class _Skip(nn.Sequential):
    """Layers in sequence, added to their input."""

    def forward(self, input: Tensor) -> Tensor:
        y: Tensor = input
        for layer in self:
            y = layer(y)
        return input + y


class _Enlargement(nn.Module):
    """Features ``(B, width, H, W)`` at ``scale``: as many pixel shuffles as reach it, then resampling."""

    def __init__(self, width: int, scale: Fraction) -> None:
        super().__init__()
        doublings = (math.ceil(scale) - 1).bit_length()
        self.rest = scale / 2**doublings
        self.stages = nn.ModuleList(MirrorConv(width, 4 * width) for _ in range(doublings))

    __call__: Callable[..., Tensor]

    def forward(self, x: Tensor) -> Tensor:
        for stage in self.stages:
            x = F.pixel_shuffle(stage(x), 2)
        return resize(x, self.rest)

    @property
    def reach(self) -> float:
        """In pixels of the input: of the convolutions, each half as wide as the one before, and of the resampling."""
        stages = len(self.stages)
        resampling = 0.0 if self.rest == 1 else (2 * float(1 / self.rest) + 1) / 2**stages
        return sum(0.5**n for n in range(stages)) + resampling


class _SpatialNetwork(BandNetwork, Recomputable):
    """Features at the input's size, their enlargement, and the residual of each band over bicubic resampling.

    Then the output is corrected to the means of the input, ``corrections`` times (:func:`correct_means`). Where
    ``valid`` ``(B, 1, h, w)`` is 0 the input is a hole, filled from its neighbours.
    """

    def __init__(self, bands: int, width: int, scale: float | str, body: nn.Module, corrections: int) -> None:
        super().__init__(bands)
        self.corrections = corrections
        self.bands, self.scale = bands, parse_scale(scale)
        self.tile_step = self.scale.denominator
        self.enter, self.body = MirrorConv(bands, width), body
        self.enlarge = _Enlargement(width, self.scale)
        self.leave = make_zero(MirrorConv(width, bands))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """The whole pixels that an image of ``height`` × ``width`` covers at the scale: 34 are 255 at 7.5."""
        return math.floor(height * self.scale), math.floor(width * self.scale)

    def forward(self, x: Tensor, valid: Tensor | None = None) -> Tensor:
        require_bands(x, self.bands)
        x = fill_holes(x, valid)
        # As one part: enlarged features are the largest, and are not kept.
        residual = self.recompute(lambda y: self.leave(self.enlarge(y)), self.body(self.enter(x)))
        fine = self.add_residual(resize(x, self.scale), residual)
        return self.keep_range(correct_means(fine, x, self.scale, self.corrections, valid))

    def _field(self, body: int) -> int:
        """The receptive field of a body that reaches so many pixels to each side."""
        around = 1 + body + math.ceil(self.enlarge.reach + float(1 / self.scale))
        return 2 * (max(around, 3) + REACH * self.corrections + REACH) + 1


class SpatialSR(_SpatialNetwork):
    """Images ``(B, bands, H, W)`` to ``(B, bands, floor(H * scale), floor(W * scale))``; starts as corrected bicubic
    resampling.

    Residual groups of residual channel attention blocks, pixel shuffles up to the power of two that is not below
    ``scale`` (three at 7.5), exact resampling from there, one convolution at the final size. Zhang et al. 2018 (RCAN),
    but for the attention's ``window`` in pixels (:class:`ChannelAttention`) and the ``corrections``. ``scale`` is a
    number or a ratio like "15/2" (:func:`parse_scale`). Both images begin at the same upper left corner. With 340 bands
    at 7.5: 2,210,836 trained parameters.
    """

    __call__: Callable[..., Tensor]

    def __init__(
        self,
        *,
        bands: int,
        scale: float | str = 7.5,
        width: int = 64,
        groups: int = 4,
        blocks: int = 4,
        window: int = 5,
        corrections: int = 0,
    ) -> None:
        architecture = describe("spatial_sr", locals())
        group = [_Skip(*_make_blocks(width, blocks, window), MirrorConv(width, width)) for _ in range(groups)]
        super().__init__(bands, width, scale, _Skip(*group, MirrorConv(width, width)), corrections)
        self.architecture = architecture
        self.window, self.depth = window, (groups, blocks)

    @property
    def receptive_field(self) -> int | None:
        groups, blocks = self.depth
        reach = groups * (blocks * (2 + self.window // 2) + 1) + 1
        return self._field(reach) if self.window else None


class LightweightSR(_SpatialNetwork):
    """:class:`SpatialSR` with ``layers`` plain convolutions instead of attention blocks.

    With 340 bands at 7.5: 130,756 trained parameters; 344,180 at a ``width`` of 32 and 4 ``layers``.
    """

    __call__: Callable[..., Tensor]

    def __init__(
        self, *, bands: int, scale: float | str = 7.5, width: int = 16, layers: int = 2, corrections: int = 0
    ) -> None:
        architecture = describe("lightweight", locals())
        body = [layer for _ in range(layers) for layer in (MirrorConv(width, width), nn.ReLU())]
        super().__init__(bands, width, scale, _Skip(*body), corrections)
        self.architecture = architecture
        self.layers = layers

    @property
    def receptive_field(self) -> int:
        return self._field(self.layers)


def _make_blocks(width: int, blocks: int, window: int) -> list[_AttentionBlock]:
    return [_AttentionBlock(width, window) for _ in range(blocks)]
