"""The VGG16 features that perceptual losses compare. Simonyan & Zisserman 2015."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rsforge.models.published_weights import VGG16
from rsforge.models.weight_files import misfit, read_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet in [0, 1], red, green, blue
POOL = 0
PLAN = (64, 64, POOL, 128, 128, POOL, 256, 256, 256)
NAME = "the weights of a VGG16"
FIX = "Give torchvision's vgg16-*.pth (`rsforge weights fetch vgg16`), or train without the perceptual loss."


def _layers() -> Iterator[nn.Module]:
    before = 3
    for width in PLAN:
        if width == POOL:
            yield nn.MaxPool2d(2)
        else:
            yield nn.Conv2d(before, width, 3, padding=1)
            yield nn.ReLU(inplace=True)
            before = width


class VggFeatures(nn.Module):
    """relu3_3 of VGG16 ``(B, 256, H/4, W/4)`` for RGB images ``(B, 3, H, W)`` in [-1, 1].

    Frozen and always in evaluation mode; gradients flow to the image. Its indices are those of torchvision.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers())
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        self.register_buffer("mean", 2 * mean - 1, persistent=False)
        self.register_buffer("std", 2 * std, persistent=False)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> VggFeatures:
        return super().train(False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.features((x - self.mean) / self.std)
        return y


def find_vgg16() -> Path | None:
    """A ``vgg16-*.pth`` file in torch's cache, the one of the published name where it is there; never downloads."""
    return VGG16.find()


def load_vgg16(path: Path) -> VggFeatures:
    """The features with the weights of a torchvision VGG16 file, whole or its ``features`` alone.

    RSF-C001 where there is no file, RSF-C003 where it is no plain dictionary of tensors, RSF-C007 where layers
    are missing or have other shapes.
    """
    state = read_weights(path, name=NAME, fix=FIX)
    try:
        return build_vgg16(state)
    except (KeyError, RuntimeError) as error:
        raise misfit(path, error, name=NAME, fix=FIX) from None


def build_vgg16(weights: Mapping[str, Any]) -> VggFeatures:
    """The same of weights that were read; ``KeyError`` or ``RuntimeError`` where layers are missing or do not fit."""
    prefix = "features." if any(str(key).startswith("features.") for key in weights) else ""
    network = VggFeatures()
    wanted = {name: prefix + name.removeprefix("features.") for name in network.state_dict()}
    network.load_state_dict({name: weights[key] for name, key in wanted.items()})
    return network
