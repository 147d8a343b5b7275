"""Spectral super-resolution by attention among the channels of a neighbourhood."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.models.interfaces import describe
from rsforge.models.recompute import Recomputable
from rsforge.models.spectral.band_network import RidgeNetwork
from rsforge.models.spectral.layers import MirrorConv, PixelNorm, make_zero


class SpectralAttention(nn.Module):
    """Attention whose tokens are the channels of ``(B, width, H, W)``. Cai et al. 2022 (MST++), Eq. 2 and 3.

    A channel is described by its pixels within squares of ``window`` pixels, which begin at the upper left corner and
    are cut off at the border; 0 for the whole image as in the paper.
    """

    __call__: Callable[..., Tensor]

    def __init__(self, width: int, *, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.to_qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.sharpness = nn.Parameter(torch.ones(heads, 1, 1))
        self.to_out = nn.Conv2d(width, width, 1)
        self.place = nn.Sequential(
            MirrorConv(width, width, groups=width), nn.GELU(), MirrorConv(width, width, groups=width)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(x).chunk(3, dim=1)
        y: Tensor = self.to_out(self._attend(q, k, v)) + self.place(v)
        return y

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        height, width = q.shape[2:]
        sides = (self.window or height, self.window or width)
        q, k, v = (_cut(x, sides, self.heads) for x in (q, k, v))
        # Zeros beyond the border change neither lengths nor products.
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        mixed = F.scaled_dot_product_attention(q * self.sharpness, k, v, scale=1.0)
        return _join(mixed, sides, height, width)


def _cut(x: Tensor, sides: tuple[int, int], heads: int) -> Tensor:
    """``(B, C, H, W)`` as ``(B, rows, columns, heads, C / heads, pixels of a window)``, zeros beyond the border."""
    x = F.pad(x, (0, -x.shape[3] % sides[1], 0, -x.shape[2] % sides[0]))
    windows = x.unflatten(3, (-1, sides[1])).unflatten(2, (-1, sides[0]))  # (B, C, rows, h, columns, w)
    tokens: Tensor = windows.permute(0, 2, 4, 1, 3, 5).flatten(4).unflatten(3, (heads, -1))
    return tokens


def _join(windows: Tensor, sides: tuple[int, int], height: int, width: int) -> Tensor:
    """The inverse of ``_cut``."""
    x: Tensor = windows.flatten(3, 4).unflatten(4, sides).permute(0, 3, 1, 4, 2, 5)
    return x.flatten(4).flatten(2, 3)[:, :, :height, :width]


class _Block(Recomputable):
    """Spectral attention and a feed-forward network, each normalised before and added after."""

    def __init__(self, width: int, *, heads: int, window: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelNorm(width), PixelNorm(width)
        self.attention = SpectralAttention(width, heads=heads, window=window)
        wide = 4 * width
        layers = (nn.Conv2d(width, wide, 1), nn.GELU(), MirrorConv(wide, wide, groups=wide), nn.GELU())
        self.feed_forward = nn.Sequential(*layers, nn.Conv2d(wide, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.recompute(lambda y: y + self.attention(self.norm1(y)), x)
        return self.recompute(lambda y: y + self.feed_forward(self.norm2(y)), x)


class SpectralTransformer(RidgeNetwork):
    """Images ``(B, in_channels, H, W)`` to ``(B, bands, H, W)``; starts as the ridge solution.

    In the manner of MST++ (Cai et al. 2022), with two differences that bound what a pixel depends on: one resolution
    instead of three, and attention within windows (:class:`SpectralAttention`). Tiles must begin at multiples of
    ``tile_step``. ``width`` is a multiple of ``heads`` (``ValueError``). With 340 bands from 7: 1,633,644 trained
    parameters.
    """

    def __init__(
        self, *, bands: int, in_channels: int = 7, width: int = 128, blocks: int = 6, heads: int = 4, window: int = 8
    ) -> None:
        architecture = describe("spectral_transformer", locals())
        super().__init__(in_channels, bands)
        self.architecture = architecture
        if heads < 1 or width % heads:
            raise ValueError(f"a width of {width} is no multiple of {heads} heads")
        self.window, self.tile_step = window, window or 1
        self.enter = MirrorConv(in_channels, width)
        self.blocks = nn.ModuleList(_Block(width, heads=heads, window=window) for _ in range(blocks))
        self.leave = make_zero(MirrorConv(width, bands))

    @property
    def receptive_field(self) -> int | None:
        # Across a window, or two convolutions beside the attention, then one in the feed-forward network.
        reach = 2 + len(self.blocks) * (max(self.window - 1, 2) + 1)
        return 2 * reach + 1 if self.window else None

    def residual(self, x: Tensor, ridge: Tensor) -> Tensor:
        first = self.enter(x)
        y = first
        for block in self.blocks:
            y = block(y)
        residual: Tensor = self.leave(y + first)
        return residual
