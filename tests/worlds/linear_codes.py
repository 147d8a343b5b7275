"""What a fitted linear code makes of images."""

from __future__ import annotations

import torch.nn.functional as F


def encode(x, code):
    patch = 2 ** len(code.decoder)
    return F.conv2d(F.pixel_unshuffle(x - code.mean[:, None, None], patch), code.encoder, padding=1)


def decode(z, code):
    for kernel in code.decoder:
        z = F.conv2d(F.interpolate(z, scale_factor=2), kernel, padding=1)
    return z + code.mean[:, None, None]
