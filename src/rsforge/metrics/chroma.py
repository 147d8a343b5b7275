"""Errors of colour that count more than those of brightness."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def stretch_chroma(x: Tensor, weight: float) -> Tensor:
    """``x`` ``(B, C, H, W)`` with its chroma, what channels deviate from their mean, times the root of ``weight``.

    The squared error of two stretched images is that of their brightness and ``weight`` times that of their chroma.
    """
    if weight == 1:
        return x
    brightness = x.mean(1, keepdim=True)
    return brightness + math.sqrt(weight) * (x - brightness)


def stretch_code(code: dict[str, Tensor], patch: int, weight: float) -> dict[str, Tensor]:
    """The code of images as they are that does what ``code`` does of images with stretched chroma.

    ``code`` is one of :func:`~rsforge.metrics.lapped_code.fit_lapped_code`: the change of colours is linear, so that
    its encoder takes it in and its decoder takes it back.
    """
    per_colour = patch**2
    colours = len(code["mean"]) // per_colour
    eye = torch.eye(colours)
    into, back = (stretch_chroma(eye[:, :, None, None], w)[..., 0, 0] for w in (weight, 1 / weight))
    mean = code["mean"].view(colours, per_colour)
    encoder = code["encoder"].unflatten(1, (colours, per_colour))
    decoder = code["decoder"].unflatten(0, (colours, per_colour))
    return {
        "mean": (back @ mean).flatten(),
        "encoder": torch.einsum("kcpij,cd->kdpij", encoder, into).flatten(1, 2),
        "decoder": torch.einsum("dc,cpkij->dpkij", back, decoder).flatten(0, 1),
    }
