"""Images as they arrive through the linear channel, its noise included, of which the package takes the mean alone."""

from __future__ import annotations

import torch
from torch import Tensor

from rsforge.metrics.linear_channel import LinearChannel


def send(channel: LinearChannel, variances: Tensor, images: Tensor) -> Tensor:
    """Images ``(B, C, H, W)`` in [-1, 1] with noise; ``variances`` are those that the channel was fitted to."""
    rows = channel.components.float().flatten(1)
    deviations = (variances.double() * channel.kept * (1 - channel.kept)).clamp(min=0).sqrt().float()
    noise = torch.randn(len(images), len(rows), generator=torch.Generator().manual_seed(0)) * deviations
    codes = (images.flatten(1) - channel.mean.flatten()) @ rows.T
    arrived = (codes * channel.kept + noise) @ rows + channel.mean.flatten()
    return arrived.clamp(-1, 1).view_as(images)
