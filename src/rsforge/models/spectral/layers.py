"""Layers that look at a bounded neighbourhood of each pixel, so that scenes may be cut into tiles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_INNER = 4
"""Channels within an attention: of fewer, all may be off at once, and then nothing is learnt."""


def require_bands(x: Tensor, bands: int) -> None:
    """``ValueError`` unless ``x`` is ``(B, bands, H, W)``."""
    if x.ndim != 4 or x.shape[1] != bands:
        raise ValueError(f"an input of shape {tuple(x.shape)}; {bands} bands are expected on its second axis")


def full_precision(x: Tensor) -> AbstractContextManager[object]:
    """A context without autocast on the device of ``x``; the meta device has none to switch off."""
    return nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)


class MirrorConv(nn.Conv2d):
    """A 3×3 convolution of ``(B, in, H, W)`` to ``(B, out, H, W)``, mirrored beyond the border without repeating it.

    A side of one pixel has nothing to mirror, and is repeated.
    """

    def __init__(self, in_channels: int, out_channels: int, *, groups: int = 1) -> None:
        super().__init__(in_channels, out_channels, 3, groups=groups)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(_mirror(input))


def _mirror(x: Tensor) -> Tensor:
    """``x`` with one pixel more on each side."""
    if min(x.shape[-2:]) > 1:
        return F.pad(x, (1, 1, 1, 1), mode="reflect")
    for axis, margins in ((-1, (1, 1, 0, 0)), (-2, (0, 0, 1, 1))):
        x = F.pad(x, margins, mode="reflect" if x.shape[axis] > 1 else "replicate")
    return x


def make_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """``layer`` with weights and bias zero: where it ends a residual branch, the branch starts without effect."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class PixelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel of ``(B, C, H, W)``; pixels do not see each other."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class ChannelAttention(nn.Module):
    """Each channel of ``(B, C, H, W)`` times a factor in (0, 1) that follows from the means of all. Hu et al. 2018.

    Means are over ``window`` × ``window`` pixels around each pixel, cut off at the border: 1 for the pixel alone, 0
    for the whole image as in the paper, which leaves no bound to what a pixel depends on. ``ValueError`` for other
    even windows.
    """

    __call__: Callable[..., Tensor]

    def __init__(self, channels: int, *, reduction: int, window: int) -> None:
        super().__init__()
        if window and window % 2 == 0:
            raise ValueError(f"an attention window of {window} pixels has no middle; use an odd number")
        self.window = window
        inner = max(LEAST_INNER, channels // reduction)
        self.squeeze, self.excite = nn.Conv2d(channels, inner, 1), nn.Conv2d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        factor: Tensor = self.excite(F.relu(self.squeeze(self._means(x)))).sigmoid()
        return x * factor

    def _means(self, x: Tensor) -> Tensor:
        if self.window == 0:
            return x.mean((2, 3), keepdim=True)
        if self.window == 1:
            return x
        return F.avg_pool2d(x, self.window, 1, self.window // 2, count_include_pad=False)
