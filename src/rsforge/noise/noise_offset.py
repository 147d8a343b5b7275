"""Noise whose mean is random too, so that a network learns to change the brightness of whole images."""

from __future__ import annotations

import torch
from torch import Tensor


def add_offset(eps: Tensor, strength: float) -> Tensor:
    """``eps`` ``(B, C, ...)`` plus ``strength`` times one normal number for each sample and channel.

    Nothing is drawn where ``strength`` is 0. Guttenberg 2023, "Diffusion with offset noise".
    """
    if not strength:
        return eps
    shift = torch.randn(eps.shape[:2], dtype=eps.dtype, device=eps.device)
    return eps + strength * shift.view(*shift.shape, *[1] * (eps.ndim - 2))
