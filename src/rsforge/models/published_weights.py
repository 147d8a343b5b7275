"""Published weights that metrics and losses are defined by: where they are looked for, and what exactly they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class PublishedWeights:
    """A file of weights that its authors publish under one name and never change.

    ``pattern`` matches the names that programs give it in torch's cache; ``size`` is in bytes; ``needed_by`` says what
    is measured or compared with it.
    """

    name: str
    file: str
    pattern: str
    source: str
    size: int
    sha256: str
    licence: str
    needed_by: str

    @property
    def mib(self) -> float:
        return self.size / 2**20

    @property
    def path(self) -> Path:
        """Where torch and other programs keep it."""
        return cache_folder() / self.file

    def find(self) -> Path | None:
        """The file of the published name in the cache, else the last by name that ``pattern`` matches; no download."""
        return self.path if self.path.is_file() else max(cache_folder().glob(self.pattern), default=None)

    def where_looked(self) -> str:
        """The sentence for a file that is not there."""
        return f"no {self.pattern} in {cache_folder()}"


def cache_folder() -> Path:
    """Where torch keeps weights that it downloads: $TORCH_HOME/hub/checkpoints, else ~/.cache/torch."""
    return Path(torch.hub.get_dir(), "checkpoints")


# The first eight digits of each SHA-256 stand in the name of the file, as torch.hub checks them.
VGG16 = PublishedWeights(
    name="vgg16",
    file="vgg16-397923af.pth",
    pattern="vgg16-*.pth",
    source="https://download.pytorch.org/models/vgg16-397923af.pth",
    size=553_433_881,
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms allow research and education",
    needed_by="the perceptual loss of vae train, the content loss of cyclegan train, LPIPS",
)
INCEPTION = PublishedWeights(
    name="inception",
    file="weights-inception-2015-12-05-6726825d.pth",
    pattern="*inception-2015-12-05-*.pth",
    source="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth",
    size=95_628_359,
    sha256="6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    licence="Apache-2.0 (TensorFlow's network, converted by pytorch-fid and torch-fidelity); trained on ImageNet",
    needed_by="FID and KID",
)
RESNET18 = PublishedWeights(
    name="resnet18",
    file="resnet18-f37072fd.pth",
    pattern="resnet18-*.pth",
    source="https://download.pytorch.org/models/resnet18-f37072fd.pth",
    size=46_830_571,
    sha256="f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    licence="BSD-3-Clause (torchvision); trained on ImageNet, whose terms allow research and education",
    needed_by="the zero-shot accuracy of diffusion evaluate-text",
)
PUBLISHED = {weights.name: weights for weights in (VGG16, INCEPTION, RESNET18)}
