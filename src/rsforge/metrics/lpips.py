"""How far apart images are in the eyes of a network, as people judged. Zhang et al. 2018 (arXiv 1801.03924)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from rsforge.compat import ensure_torchvision


class Lpips(nn.Module):
    """Images ``(B, 3, H, W)`` in [-1, 1], 16 pixels a side or more: ``(B,)``, 0 when equal.

    ``backbone`` are the weights of torchvision's VGG16, or AlexNet for ``net`` alex, whole or its ``features`` alone;
    the learnt heads are those of torchmetrics. ``KeyError`` or ``RuntimeError`` where layers are missing or have other
    shapes.
    """

    __call__: Callable[..., Tensor]

    def __init__(self, backbone: Mapping[str, Tensor], *, net: Literal["vgg", "alex"] = "vgg") -> None:
        super().__init__()
        ensure_torchvision()
        from torchmetrics.functional.image.lpips import _LPIPS, ScalingLayer

        # Drawn weights would take seconds, and half a gigabyte for a classifier that nobody asks.
        with torch.device("meta"):
            self.network = _LPIPS(pretrained=False, net=net, pnet_rand=True)
        self.network.scaling_layer = ScalingLayer()
        heads = Path(inspect.getfile(_LPIPS)).with_name("lpips_models") / f"{net}.pth"
        prefix = "features." if any(name.startswith("features.") for name in backbone) else ""
        inner = {name: prefix + name.partition(".")[2] for name in self.network.net.state_dict()}
        weights = torch.load(heads, map_location="cpu", weights_only=True)
        weights |= {f"net.{name}": backbone[key].float() for name, key in inner.items()}
        self.network.load_state_dict(weights, strict=False, assign=True)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        distance: Tensor = self.network(x.float(), y.float()).flatten()
        return distance
