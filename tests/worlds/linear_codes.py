"""What a fitted linear code makes of images."""

from __future__ import annotations

import torch.nn.functional as F


def encode(x, code):
    patch = 2 ** (len(code.decoder) - 1)
    return F.conv2d(F.pixel_unshuffle(x - code.mean[:, None, None], patch), code.encoder, padding=1)


def decode(z, code):
    first, *others = code.decoder
    x = F.conv2d(z, first, padding=1)
    for kernel in others:
        x = F.conv2d(F.interpolate(x, scale_factor=2), kernel, padding=1)
    return x + code.mean[:, None, None]
