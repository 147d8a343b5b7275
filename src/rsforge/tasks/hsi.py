"""What spectral super-resolution learns: the spectrum of each pixel from a few broad bands."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.data.spectra.spatial_dataset import area_mean
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.spectral import Average, combined_loss
from rsforge.models.spectral.band_network import BandNetwork
from rsforge.tasks.spectral_figures import Batch, Comparison, Normalisation, SpectralFigures

TERMS = ("l1", "l2", "sam", "spectral_grad", "consistency")
"""The terms of the loss, whose weights a task is given by these names."""


@dataclass(frozen=True)
class Baseline:
    """The per-pixel linear solution ``weight (bands, in) @ x + bias (bands,)``, in normalised values."""

    weight: Tensor
    bias: Tensor

    def predict(self, x: Tensor) -> Tensor:
        """Spectra ``(B, bands, H, W)`` of ``x`` ``(B, in, H, W)``."""
        return F.conv2d(x, self.weight.to(x)[:, :, None, None], self.bias.to(x))


@dataclass(frozen=True)
class SensorResponse:
    """What the sensor measures of a spectrum, ``weight (in, bands) @ y + bias (in,)``, between normalised values."""

    weight: Tensor
    bias: Tensor


class SpectralTask:
    """The weighted sum of absolute and squared error, spectral angle and error of the slope along wavelength.

    The term ``consistency`` is the absolute error of what the sensor would measure of the output, through ``response``,
    which it needs (``ValueError``), from what it measured: in shares of the normalised range of Landsat, so that it is
    of the size of the other terms in any unit. Measured were, where a batch holds them, ``native`` ``(B, in, p, q)`` at
    Landsat's own pixels where ``native_valid`` is 1, of which the area means by ``rows`` and ``cols`` of the output are
    compared; else it is ``landsat``, which was enlarged from them, pixel by pixel.

    A batch holds ``landsat`` ``(B, in, H, W)`` and ``spectra`` ``(B, bands, H, W)``, normalised, and ``valid``
    ``(B, 1, H, W)``, 0 where a pixel does not count. ``wavelength_nm`` ``(bands,)`` ascends.
    """

    def __init__(
        self,
        network: BandNetwork,
        *,
        wavelength_nm: Tensor,
        normalisation: Normalisation,
        baseline: Baseline,
        weights: Mapping[str, float],
        response: SensorResponse | None = None,
    ) -> None:
        self.network, self.wavelength_nm = network, wavelength_nm
        self.normalisation, self.baseline, self.response = normalisation, baseline, response
        self.weights = {name: weights.get(name, 0.0) for name in TERMS}
        if self.weights["consistency"] and response is None:
            raise ValueError("consistency needs the response of the sensor")

    def modules(self) -> Mapping[str, nn.Module]:
        return {"network": self.network}

    def groups(self) -> Mapping[str, list[nn.Parameter]]:
        return {"network": list(self.network.parameters())}

    def step(self, batch: Batch, context: StepContext) -> Generator[Turn]:
        output = self.network(batch["landsat"])
        valid = batch["valid"] > 0
        loss, terms = self.loss(output, batch["spectra"], valid, batch)
        yield Turn("network", loss, terms, valid.float().mean())

    def loss(self, output: Tensor, target: Tensor, valid: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, a scalar, and its unweighted terms by name."""
        w, seen = self.weights, self.response
        measured, average = _find_measured(batch)
        return combined_loss(
            output, target, wavelength_nm=self.wavelength_nm, valid=valid,
            l1=w["l1"], l2=w["l2"], sam=w["sam"], spectral_grad=w["spectral_grad"], consistency=w["consistency"],
            response=seen.weight if seen else None, offset=seen.bias if seen else None, measured=measured,
            average=average,
        )  # fmt: skip

    def validation(self) -> SpectralFigures:
        return SpectralFigures(
            self._compare, loss=self.loss, weights=self.weights, normalisation=self.normalisation, prefix="ridge_"
        )

    def _compare(self, batch: Batch) -> Comparison:
        x = batch["landsat"]
        ridge = self.network.keep_range(self.baseline.predict(x))
        return Comparison(self.network(x).float(), ridge, batch["spectra"], batch["valid"] > 0, batch)


def _find_measured(batch: Batch) -> tuple[Tensor, Average | None]:
    """What Landsat measured, and how the fine pixels of a batch become its own; None where they are as wide."""
    if "native" not in batch:
        return batch["landsat"], None
    rows, cols, known = batch["rows"][:, None], batch["cols"][:, None], batch["native_valid"] > 0

    def average(seen: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
        counted = torch.ones_like(seen[:, :1]) if valid is None else valid.to(seen)
        means, holds = area_mean(seen.where(counted > 0, 0), counted, rows.to(seen), cols.to(seen))
        return means, (holds > 0) & known

    return batch["native"], average
