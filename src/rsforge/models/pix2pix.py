"""The image-to-image U-Net of pix2pix, as deep as the image allows. Isola et al. 2017, section 6.1.1."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from rsforge.models.image_level import ImageLevel, count_shown, show_level
from rsforge.models.interfaces import Translator, describe
from rsforge.models.patch_gan import SLOPE, Norm, initialise, with_norm
from rsforge.models.self_attention import SelfAttention

DEEPEST, SHALLOWEST = 8, 4
WIDEST = 8  # in base widths
DROPPED_BELOW = 5  # levels further in than this drop half of their features
ATTENDED = 2


def depth_for(image_size: int) -> int:
    """How often the side is halved: down to one pixel at 256, else while it stays whole.

    ``ValueError`` unless ``image_size`` is a multiple of 16.
    """
    depth = min(DEEPEST, (image_size & -image_size).bit_length() - 1)
    if image_size <= 0 or depth < SHALLOWEST:
        step = 2**SHALLOWEST
        near = max(step, round(image_size / step) * step)
        raise ValueError(f"an image of {image_size} pixels is no multiple of {step}; the nearest is {near}")
    return depth


def _down(i: int, o: int, norm: Norm | None) -> nn.Sequential:
    return with_norm(nn.Conv2d(i, o, 4, stride=2, padding=1, bias=norm is None), norm)


def _up(i: int, o: int, norm: Norm, *, dropped: bool) -> nn.Sequential:
    layer = with_norm(nn.ConvTranspose2d(i, o, 4, stride=2, padding=1, bias=False), norm)
    return layer.append(nn.Dropout(0.5)) if dropped else layer


class Pix2PixUNet(Translator):
    """Images ``(B, in_channels, H, W)`` in [-1, 1] to ``(B, out_channels, H, W)`` in [-1, 1].

    ``depth`` halvings of the side (:func:`depth_for`), each level skipped across; ``ValueError`` for sides that are no
    multiples of ``2**depth``. Biases stand only where nothing is normalised. ``attention`` puts self-attention after
    the third level. ``level`` says what is seen of every image. At depth 8, base 64: 54,412,483
    parameters from 1 to 3 channels, 54,410,433 from 3 to 1.
    """

    def __init__(
        self,
        *,
        in_channels: int = 1,
        out_channels: int = 3,
        depth: int = DEEPEST,
        base: int = 64,
        norm: Norm = "instance",
        attention: bool = False,
        level: ImageLevel = "keep",
    ) -> None:
        super().__init__()
        self.architecture = describe("pix2pix_unet", locals())
        self.level = level
        if depth <= ATTENDED:
            raise ValueError(f"a depth of {depth}; the least is {ATTENDED + 1}")
        self.in_channels, self.out_channels, self.factor = in_channels, out_channels, 2**depth
        widths = [base * min(2**level, WIDEST) for level in range(depth)]
        norms: list[Norm | None] = [None, *[norm] * (depth - 2), None]
        self.down = nn.ModuleList(
            _down(i, o, n) for i, o, n in zip([count_shown(in_channels, level), *widths], widths, norms, strict=False)
        )
        self.attention = SelfAttention(widths[ATTENDED]) if attention else nn.Identity()
        turned = widths[::-1]
        self.up = nn.ModuleList(
            _up(i * (2 if k else 1), o, norm, dropped=depth - 1 - k >= DROPPED_BELOW)
            for k, (i, o) in enumerate(pairwise(turned))
        )
        self.to_image = nn.ConvTranspose2d(2 * base, out_channels, 4, stride=2, padding=1)
        self.apply(initialise)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] % self.factor or x.shape[3] % self.factor:
            raise ValueError(f"sides of {x.shape[2]} x {x.shape[3]} pixels are no multiples of {self.factor}")
        x = show_level(x, self.level)
        skips = []
        for level, down in enumerate(self.down):
            # In place, the skip with it: what the way up makes of it, its positive part, stays the same.
            x = down(nn.functional.leaky_relu(x, SLOPE, inplace=True) if level else x)
            x = self.attention(x) if level == ATTENDED else x
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = torch.cat([up(x.relu_()), skips.pop()], 1)
        image: Tensor = self.to_image(x.relu_()).tanh()
        return image
