"""A file of VGG16 weights as torchvision names them, with random values: nothing can be downloaded here."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.models import vgg16

NAME = "vgg16-random.pth"


def write_vgg16(folder: Path) -> Path:
    """The weights of the convolutions alone, which is all that perceptual losses and LPIPS read."""
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in vgg16(weights=None).state_dict().items() if k.startswith("features.")}
    generator = torch.Generator().manual_seed(0)
    path = folder / NAME
    torch.save(
        {k: torch.randn(shape, generator=generator) * (2 / shape[1:].numel()) ** 0.5 for k, shape in shapes.items()},
        path,
    )
    return path
