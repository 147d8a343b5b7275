"""A scene classifier that learns from images alone that it is given, and what it says of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from rsforge.models.published_weights import RESNET18
from rsforge.models.resnet18 import CLASSIFIER, ResNet18
from rsforge.models.weight_files import misfit, read_weights

LEARNING_RATE, BATCH = 1e-4, 64
LARGEST = 256
"""Side of the images that the classifier sees, of larger ones after scaling."""
COUNTER = "num_batches_tracked"
"""What normalisation layers count beside their statistics; files that torchvision published early lack it."""
NAME, FIX = "the weights of torchvision's ResNet-18", "name an undamaged file with --resnet-weights"


@dataclass(frozen=True)
class ClassifierPlan:
    """How a classifier learns: as Txt2Img-MHN (Xu et al. 2023) trains it, ResNet-18 by Adam. ``first`` are weights."""

    classes: int
    epochs: int
    seed: int
    first: Mapping[str, Tensor] | None = None

    def build(self) -> ResNet18:
        """The network before its training."""
        network = ResNet18(self.classes)
        if self.first is not None:
            network.load_state_dict({**network.state_dict(), **self.first})
        return network


def find_first_weights(given: Path | None) -> Path | None:
    """The file given, else the published one in torch's cache, or the last by name there; never downloads."""
    return given or RESNET18.find()


def read_first_weights(path: Path) -> dict[str, Tensor]:
    """The weights of torchvision's ResNet-18 without the last layer; RSF-C001, RSF-C003 or RSF-C007."""
    weights = {k: v for k, v in read_weights(path, name=NAME, fix=FIX).items() if k not in CLASSIFIER}
    with torch.device("meta"):
        needed = ResNet18(2).state_dict()
    needed = {name: own for name, own in needed.items() if name not in CLASSIFIER and not name.endswith(COUNTER)}
    for name, own in needed.items():
        if name not in weights or weights[name].shape != own.shape:
            raise misfit(path, KeyError(name), name=NAME, fix=FIX)
    return {name: weights[name] for name in needed}


def shrink(images: Tensor) -> Tensor:
    """Images ``(B, 3, H, W)`` in [-1, 1] as the classifier sees them, in 8 bits."""
    if images.shape[-1] > LARGEST:
        images = F.interpolate(images, (LARGEST, LARGEST), mode="bilinear", antialias=True)
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu()


def train_classifier(images: Tensor, labels: Tensor, plan: ClassifierPlan, device: torch.device) -> ResNet18:
    """A classifier of uint8 ``images (N, 3, H, W)``, two or more, and ``labels (N,)``; the same for the same."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), torch.enable_grad():
        torch.manual_seed(plan.seed)
        network = plan.build().to(device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        count = len(images)
        for _ in range(plan.epochs):
            # Batches of even sizes: one image alone has no statistics for batch norm.
            for chosen in torch.randperm(count).tensor_split(-(-count // BATCH)):
                loss = F.cross_entropy(network(to_float(images[chosen], device)), labels[chosen].to(device))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
    return network.eval()


@torch.no_grad()
def classify(network: ResNet18, images: Tensor, device: torch.device) -> Tensor:
    """The likeliest class of each uint8 image ``(N,)``."""
    return torch.cat([network(to_float(part, device)).argmax(1).cpu() for part in images.split(BATCH)])


def to_float(images: Tensor, device: torch.device) -> Tensor:
    """uint8 images in [-1, 1]."""
    return images.to(device).float() / 127.5 - 1


def describe_classifier(plan: ClassifierPlan, weights: str) -> dict[str, Any]:
    """The protocol of the classifier; ``weights`` says what it begins with."""
    return {
        "network": "ResNet-18", "weights": weights, "classes": plan.classes, "epochs": plan.epochs,
        "learning_rate": LEARNING_RATE, "batch_size": BATCH, "optimizer": "adam",
    }  # fmt: skip
