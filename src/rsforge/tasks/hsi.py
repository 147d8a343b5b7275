"""What spectral super-resolution learns: the spectrum of each pixel from a few broad bands."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rsforge.engine.distributed import SingleProcess
from rsforge.engine.task import StepContext, Turn
from rsforge.losses.spectral import combined_loss
from rsforge.metrics.spectral import rmse, sam_deg
from rsforge.models.spectral.band_network import BandNetwork

Batch = Mapping[str, Tensor]
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


@dataclass(frozen=True)
class Normalisation:
    """A normalised value is the physical one times ``gain`` plus ``offset``, each ``(1,)`` or ``(bands,)``."""

    gain: Tensor
    offset: Tensor

    def undo(self, unit: Tensor) -> Tensor:
        """Spectra ``(B, bands, H, W)`` in the unit of the files, float64."""
        gain, offset = (values.to(unit.device).double()[:, None, None] for values in (self.gain, self.offset))
        return (unit.double() - offset) / gain


class SpectralTask:
    """The weighted sum of absolute and squared error, spectral angle and error of the slope along wavelength.

    The term ``consistency`` is the absolute error of what the sensor would measure of the output, through ``response``,
    which it needs (``ValueError``), from the input: in shares of the input's normalised range, so that it is of the
    size of the other terms in any unit.

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
        loss, terms = self.loss(output, batch["spectra"], batch["valid"] > 0, batch["landsat"])
        yield Turn("network", loss, terms)

    def loss(self, output: Tensor, target: Tensor, valid: Tensor, measured: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, a scalar, and its unweighted terms by name."""
        w, seen = self.weights, self.response
        return combined_loss(
            output, target, wavelength_nm=self.wavelength_nm, valid=valid,
            l1=w["l1"], l2=w["l2"], sam=w["sam"], spectral_grad=w["spectral_grad"], consistency=w["consistency"],
            response=seen.weight if seen else None, offset=seen.bias if seen else None, measured=measured,
        )  # fmt: skip

    def validation(self) -> SpectralFigures:
        return SpectralFigures(self)


class SpectralFigures:
    """Figures of all valid pixels of a set: ``loss`` and its terms in normalised values, ``sam_deg`` and ``rmse``.

    The last two are in degrees and in the unit of the files, for the network and, as ``ridge_...``, for the baseline.
    Spectra of zeros have no direction and do not count in angles.
    """

    def __init__(self, task: SpectralTask) -> None:
        self.task = task
        self.names = [name for name, weight in task.weights.items() if weight]
        physical = [f"{who}{name}" for who in ("", "ridge_") for name in ("sam_deg", "square")]
        self.sums = dict.fromkeys([*self.names, *physical, "pixels", "angles", "physical_angles"], 0.0)

    def update(self, batch: Batch, count: int) -> None:
        x, target, valid = batch["landsat"], batch["spectra"], batch["valid"] > 0
        output = self.task.network(x).float()
        ridge = self.task.network.keep_range(self.task.baseline.predict(x))
        for k in range(count):  # one at a time: hundreds of bands in float64 take much memory
            one = slice(k, k + 1)
            if valid[one].any():
                self._add_terms(output[one], target[one], valid[one], x[one])
                self._add_physical(output[one], ridge[one], target[one], valid[one])

    def _add_terms(self, output: Tensor, target: Tensor, valid: Tensor, measured: Tensor) -> None:
        _, terms = self.task.loss(output, target, valid, measured)
        pixels, angles = float(valid.sum()), _count_directions(target, valid)
        for name in self.names:
            self.sums[name] += float(terms[name]) * (angles if name == "sam" else pixels)
        self.sums["pixels"] += pixels
        self.sums["angles"] += angles

    def _add_physical(self, output: Tensor, ridge: Tensor, target: Tensor, valid: Tensor) -> None:
        undo = self.task.normalisation.undo
        truth, pixels = undo(target), float(valid.sum())
        angles = _count_directions(truth, valid)
        self.sums["physical_angles"] += angles
        for who, prediction in (("", undo(output)), ("ridge_", undo(ridge))):
            self.sums[f"{who}square"] += float(rmse(prediction, truth, valid)) ** 2 * pixels
            if angles:
                self.sums[f"{who}sam_deg"] += float(sam_deg(prediction, truth, valid)) * angles

    def compute(self, world: SingleProcess) -> dict[str, float]:
        sums = world.total(self.sums)
        counts = {"sam": sums["angles"], "sam_deg": sums["physical_angles"], "ridge_sam_deg": sums["physical_angles"]}

        def mean(name: str) -> float:
            count = counts.get(name, sums["pixels"])
            return sums[name] / count if count else math.nan

        terms = {name: mean(name) for name in self.names}
        # An angle that no spectrum has is no part of the loss either, as in a batch of the training.
        parts = [self.task.weights[name] * term for name, term in terms.items() if name != "sam" or sums["angles"]]
        figures = {"loss": math.fsum(parts) if sums["pixels"] else math.nan, **terms}
        for who in ("", "ridge_"):
            figures[f"{who}sam_deg"] = mean(f"{who}sam_deg")
            figures[f"{who}rmse"] = math.sqrt(mean(f"{who}square"))
        return figures


def _count_directions(target: Tensor, valid: Tensor) -> float:
    """How many valid pixels are not zero in every band."""
    present = torch.linalg.vector_norm(target, dim=1, keepdim=True) > 0
    return float((present & valid).sum())
