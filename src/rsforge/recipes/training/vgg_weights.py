"""Weights of VGG16 that the user has: named, or left in torch's cache by other programs."""

from __future__ import annotations

from pathlib import Path

import torch

from rsforge.errors import RsforgeError
from rsforge.models.vgg import VggFeatures, find_vgg16, load_vgg16


def features(given: Path | None, device: torch.device, *, what: str, without: str) -> VggFeatures:
    """The features that ``what`` needs, from the file ``given`` or from the cache.

    RSF-E007 when there is neither; ``without`` is the option that trains without them.
    """
    path = given or find_vgg16()
    if path is None:
        raise RsforgeError(
            "RSF-E007",
            f"{what} needs the weights of VGG16",
            found="no --vgg-weights, and no vgg16-*.pth in the torch hub cache",
            fix=f"give --vgg-weights FILE (torchvision's vgg16-397923af.pth), or train with {without}",
        )
    return load_vgg16(path).to(device)
