"""What spatial super-resolution learns: spectra of fine pixels from those of coarse ones."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.engine.task import StepContext, Turn
from rsforge.losses.spectral import spatial_loss
from rsforge.models.spectral.baselines import Bicubic
from rsforge.models.spectral.spatial_sr import LightweightSR, SpatialSR
from rsforge.tasks.spectral_figures import Batch, Comparison, Normalisation, SpectralFigures

TERMS = ("l1", "l2", "sam")
"""The terms of the loss, whose weights a task is given by these names."""

REACH = 2
"""Coarse pixels that bicubic resampling looks at, to each side of the one that is enlarged."""


class SpatialTask:
    """The weighted sum of absolute and squared error and spectral angle.

    A batch holds ``low`` ``(B, bands, h, w)`` and ``high`` ``(B, bands, H, W)``, normalised, and ``low_valid``
    ``(B, 1, h, w)`` and ``valid`` ``(B, 1, H, W)``, 0 where a pixel does not count.
    """

    def __init__(
        self, network: SpatialSR | LightweightSR, *, normalisation: Normalisation, weights: Mapping[str, float]
    ) -> None:
        self.network, self.normalisation = network, normalisation
        self.weights = {name: weights.get(name, 0.0) for name in TERMS}

    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"network": list(self.network.parameters())}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        valid = self._find_comparable(batch)
        loss, terms = self.loss(self.network(batch["low"], batch["low_valid"]), batch["high"], valid, batch)
        yield Turn("network", loss, terms, valid.float().mean())

    def loss(self, output: Tensor, target: Tensor, valid: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, a scalar, and its unweighted terms by name; nothing else of the ``batch`` has a part in it."""
        w = self.weights
        return spatial_loss(output, target, valid=valid, l1=w["l1"], l2=w["l2"], sam=w["sam"])

    def validation(self) -> SpectralFigures:
        return SpectralFigures(
            self._compare, loss=self.loss, weights=self.weights, normalisation=self.normalisation, prefix="bicubic_"
        )

    def _compare(self, batch: Batch) -> Comparison:
        given = batch["low"], batch["low_valid"]
        # With the corrections of the network: without training it is this.
        bicubic = Bicubic(self.network, str(self.network.scale), self.network.corrections).to(given[0].device)
        output = self.network(*given).float()
        return Comparison(output, bicubic(*given), batch["high"], self._find_comparable(batch), batch)

    def _find_comparable(self, batch: Batch) -> Tensor:
        return find_comparable(batch["valid"], batch["low_valid"], self.network.scale)


def find_comparable(valid: Tensor, low_valid: Tensor, scale: Fraction) -> Tensor:
    """Where bicubic resampling has what it needs: True ``(B, 1, H, W)`` for valid pixels far enough from coarse holes.

    ``valid`` ``(B, 1, H, W)`` and ``low_valid`` ``(B, 1, h, w)`` are 0 or 1. Beside a hole, which holds zeros, bicubic
    resampling would be judged by errors that are not its own, and a network would learn to fill holes.
    """
    missing = F.max_pool2d(1 - low_valid, 2 * REACH + 1, stride=1, padding=REACH) > 0
    rows, cols = (_coarse_indices(side, scale, valid.device) for side in valid.shape[-2:])
    return (valid > 0) & ~missing[..., rows[:, None], cols]


def _coarse_indices(fine: int, scale: Fraction, device: torch.device) -> Tensor:
    """The coarse pixel in which the centre of each of ``fine`` pixels lies."""
    centres = 2 * torch.arange(fine, device=device) + 1
    return centres * scale.denominator // (2 * scale.numerator)
