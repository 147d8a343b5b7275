"""How far apart sets of images are: the distances of Fréchet and of a kernel, on features of Inception v3."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rsforge.compat import ensure_torchvision

RANK = 2048
"""Features of an image: the covariance of as many images or fewer is singular, and their distance far too large."""


def inception(weights: Mapping[str, Tensor]) -> nn.Module:
    """The network that FID is defined by: uint8 ``(B, 3, H, W)`` to ``(B, 2048)``, scaled as TensorFlow 1 scales.

    ``ImportError`` without torch-fidelity; ``RuntimeError`` where weights are missing or have other shapes.
    """
    ensure_torchvision()
    importlib.import_module("torch_fidelity")
    from torchmetrics.image.fid import NoTrainInceptionV3

    # It would load the file itself, and unpickle it: it gets plain tensors that were read before.
    file = io.BytesIO()
    torch.save(dict(weights), file)
    file.seek(0)
    network: nn.Module = NoTrainInceptionV3("inception-v3-compat", [str(RANK)], file, antialias=False)
    return network


class FeatureSet:
    """What is kept of the features ``(B, d)`` of many images: their sums and products, and every ``stride``-th."""

    def __init__(self, stride: int = 1) -> None:
        self.stride, self.count = stride, 0
        self.total, self.products = torch.zeros(()), torch.zeros(())
        self._kept: list[Tensor] = []

    def update(self, features: Tensor) -> None:
        features = features.cpu()  # not every accelerator has double precision
        exact = features.double()
        self.total, self.products = self.total + exact.sum(0), self.products + exact.T @ exact
        self._kept.append(features[-self.count % self.stride :: self.stride])
        self.count += len(features)

    def mean(self) -> Tensor:
        return self.total / self.count

    def covariance(self) -> Tensor:
        """Of two images or more, without bias."""
        mean = self.mean()
        return (self.products - self.count * mean.outer(mean)) / (self.count - 1)

    def sample(self) -> Tensor:
        return torch.cat(self._kept)


def frechet_distance(x: FeatureSet, y: FeatureSet) -> float:
    """Squared Fréchet distance of the normal distributions that fit two sets. Heusel et al. 2017, Eq. 6.

    The trace of the root of the product of both covariances is that of a symmetric matrix, whose eigenvalues are real.
    """
    values, vectors = torch.linalg.eigh(x.covariance())
    root = vectors * values.clamp(min=0).sqrt()
    y_covariance = y.covariance()
    cross = torch.linalg.eigvalsh(root.T @ y_covariance @ root).clamp(min=0).sqrt().sum()
    distance = (x.mean() - y.mean()).square().sum() + values.sum() + y_covariance.trace() - 2 * cross
    return float(distance.clamp(min=0))


def kernel_distance(
    x: FeatureSet, y: FeatureSet, *, subsets: int = 100, size: int = 1000, seed: int
) -> tuple[float, float]:
    """Mean and deviation over ``subsets`` of the squared maximum mean discrepancy; it may fall below 0.

    Subsets are ``size`` images of each set, half of them where there are fewer. Bińkowski et al. 2018, section 3.
    """
    ensure_torchvision()
    from torchmetrics.image.kid import poly_mmd

    generator, (a, b) = torch.Generator().manual_seed(seed), (x.sample(), y.sample())
    size = max(2, min(size, len(a) // 2, len(b) // 2))

    def draw_subset(features: Tensor) -> Tensor:
        return features[torch.randperm(len(features), generator=generator)[:size]]

    scores = torch.stack([poly_mmd(draw_subset(a), draw_subset(b)) for _ in range(subsets)]).double()
    return float(scores.mean()), float(scores.std(correction=0))
