"""The best linear code of normally distributed vectors in a given count of numbers and nats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def allot_distortion(variances: Tensor, nats: float) -> Tensor:
    """The mean squared error of each component that costs ``nats`` in all and is least in sum, float64 ``(k,)``.

    ``variances`` are positive, in descending order. By reverse water-filling each component is told to within one
    level, and those of less variance than that not at all. Cover & Thomas 2006, theorem 10.3.3. Images that are all
    alike have no components, and nothing is told.
    """
    if not len(variances):
        return variances.double()
    logs = variances.double().log()
    level = logs[0]
    for count in range(1, len(logs) + 1):
        level = (logs[:count].sum() - 2 * nats) / count
        if count == len(logs) or level >= logs[count]:
            break
    return torch.minimum(level.exp(), variances.double())


@dataclass(frozen=True)
class LinearChannel:
    """Images through principal components, each of which is told with noise: what is expected to arrive.

    ``mean`` is ``(C, H, W)``, ``components`` orthonormal ``(k, C, H, W)``, ``kept`` ``(k,)`` the share of each number
    that arrives.
    """

    mean: Tensor
    components: Tensor
    kept: Tensor

    def expect(self, images: Tensor) -> Tensor:
        """The means of what arrives of images ``(B, C, H, W)``, over the noise, in [-1, 1]."""
        rows, centre = self.components.float().flatten(1), self.mean.flatten()
        codes = (images.flatten(1) - centre) @ rows.T
        return ((codes * self.kept) @ rows + centre).clamp(-1, 1).view_as(images)

    def to(self, device: torch.device) -> LinearChannel:
        """The same on ``device``."""
        return LinearChannel(self.mean.to(device), self.components.to(device), self.kept.to(device))


def fit_channel(mean: Tensor, components: Tensor, variances: Tensor, nats: float) -> LinearChannel:
    """The channel of so many ``nats`` an image, for components with these ``variances`` of the training images.

    With distortion D of a component of variance V, the share 1 - D / V of its number arrives, with noise of variance
    D (1 - D / V): Cover & Thomas 2006, section 10.3.2.
    """
    distortion = allot_distortion(variances, nats)
    return LinearChannel(mean, components, (1 - distortion / variances.double()).float())
