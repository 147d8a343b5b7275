"""Residual blocks and changes of resolution, in the Hugging Face layout."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

MOST_GROUPS, LEAST_WIDTH = 32, 4


def group_count(widths: Sequence[int]) -> int:
    """The number of normalisation groups for levels of these ``widths``: 32 from 128 channels on.

    A group of fewer than ``LEAST_WIDTH`` channels forgets the mean of what it normalises, and with it the colour
    of an image; so narrow networks get fewer groups, always ones that divide every width.
    """
    most = min(MOST_GROUPS, min(widths) // LEAST_WIDTH)
    return max((g for g in range(1, most + 1) if all(w % g == 0 for w in widths)), default=1)


class ResnetBlock(nn.Module):
    """Two normalised 3×3 convolutions beside a shortcut; a time embedding is added between them.

    ``time_width`` is the width of that embedding, ``None`` where there is none (autoencoders).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, groups: int, eps: float, time_width: int | None = None
    ) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, in_channels, eps=eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        if time_width is not None:
            self.time_emb_proj = nn.Linear(time_width, out_channels)
        self.norm2 = nn.GroupNorm(groups, out_channels, eps=eps)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        same = in_channels == out_channels
        self.conv_shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        if emb is not None:
            h = h + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        y: Tensor = self.conv_shortcut(x) + h
        return y


class Downsample(nn.Module):
    """Halve height and width by a strided convolution.

    ``symmetric`` pads all four sides (U-Net); otherwise only right and bottom (autoencoder).
    """

    def __init__(self, channels: int, *, symmetric: bool) -> None:
        super().__init__()
        self.margin = (0, 0, 0, 0) if symmetric else (0, 1, 0, 1)
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=int(symmetric))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(F.pad(x, self.margin) if any(self.margin) else x)
        return y


class Upsample(nn.Module):
    """Repeat pixels to twice the height and width, or to ``size``, then convolve."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        height, width = size or (2 * x.shape[2], 2 * x.shape[3])
        y: Tensor = self.conv(F.interpolate(x, size=(height, width), mode="nearest"))
        return y
