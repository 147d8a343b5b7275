"""Distance of images in the eyes of a network."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Distance = Callable[[Tensor, Tensor], Tensor]


def perceptual(
    features: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, *, distance: Distance = F.mse_loss
) -> Tensor:
    """Mean ``distance`` of ``features``, squared or ``F.l1_loss``; ``y`` is the fixed target and gets no gradient.

    Images are ``(B, C, H, W)`` in [-1, 1], compared in float32 even under autocast; the distance is a scalar.
    Johnson et al. 2016, Eq. 2.
    """
    with torch.autocast(x.device.type, enabled=False):
        with torch.no_grad():
            wanted = features(y.float())
        return distance(features(x.float()), wanted)


def network_distance(network: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Mean of a ``network`` that gives the distance of image pairs ``(B,)``, as LPIPS; ``y`` gets no gradient.

    Images are ``(B, 3, H, W)`` in [-1, 1], compared in float32 even under autocast. Zhang et al. 2018.
    """
    with torch.autocast(x.device.type, enabled=False):
        return network(x.float(), y.detach().float()).mean()


def no_perceptual(x: Tensor, y: Tensor) -> Tensor:
    """The perceptual distance when it is off."""
    return x.new_zeros(())
