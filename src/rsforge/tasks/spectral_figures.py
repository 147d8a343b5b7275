"""Figures of predicted spectra over all valid pixels of a set, beside those of a baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rsforge.engine.distributed import SingleProcess
from rsforge.metrics.spectral import rmse, sam_deg

Batch = Mapping[str, Tensor]
SpectralLoss = Callable[[Tensor, Tensor, Tensor, Batch], tuple[Tensor, dict[str, Tensor]]]
"""Of output, target, the pixels that count and the batch: the loss, a scalar, and its unweighted terms by name."""


@dataclass(frozen=True)
class Normalisation:
    """A normalised value is the physical one times ``gain`` plus ``offset``, each ``(1,)`` or ``(bands,)``."""

    gain: Tensor
    offset: Tensor

    def undo(self, unit: Tensor) -> Tensor:
        """Spectra ``(B, bands, H, W)`` in the unit of the files, float64."""
        gain, offset = (values.to(unit.device).double()[:, None, None] for values in (self.gain, self.offset))
        return (unit.double() - offset) / gain


@dataclass(frozen=True)
class Comparison:
    """Spectra of a batch ``(B, bands, H, W)``, normalised, and ``valid`` ``(B, 1, H, W)``, True where they count.

    ``batch`` is what they are of.
    """

    output: Tensor
    baseline: Tensor
    target: Tensor
    valid: Tensor
    batch: Batch


class SpectralFigures:
    """Figures of all valid pixels of a set: ``loss`` and its terms in normalised values, ``sam_deg`` and ``rmse``.

    The last two are in degrees and in the unit of the files, for the network and, with ``prefix`` before the name, for
    the baseline. Spectra of zeros have no direction and do not count in ``sam_deg``. ``weights`` are those of the
    terms.
    """

    def __init__(
        self,
        compare: Callable[[Batch], Comparison],
        *,
        loss: SpectralLoss,
        weights: Mapping[str, float],
        normalisation: Normalisation,
        prefix: str,
    ) -> None:
        self.compare, self.loss, self.weights = compare, loss, weights
        self.normalisation, self.prefix = normalisation, prefix
        self.names = [name for name, weight in weights.items() if weight]
        physical = [f"{who}{name}" for who in ("", prefix) for name in ("sam_deg", "square")]
        self.sums = dict.fromkeys([*self.names, *physical, "pixels", "angles"], 0.0)

    def update(self, batch: Batch, count: int) -> None:
        c = self.compare(batch)
        for k in range(count):  # one at a time: hundreds of bands in float64 take much memory
            one = slice(k, k + 1)
            if c.valid[one].any():
                batch = {name: values[one] for name, values in c.batch.items()}
                self._add_terms(c.output[one], c.target[one], c.valid[one], batch)
                self._add_physical(c.output[one], c.baseline[one], c.target[one], c.valid[one])

    def _add_terms(self, output: Tensor, target: Tensor, valid: Tensor, batch: Batch) -> None:
        _, terms = self.loss(output, target, valid, batch)
        pixels = float(valid.sum())
        for name in self.names:
            self.sums[name] += float(terms[name]) * pixels
        self.sums["pixels"] += pixels

    def _add_physical(self, output: Tensor, baseline: Tensor, target: Tensor, valid: Tensor) -> None:
        undo = self.normalisation.undo
        truth, pixels = undo(target), float(valid.sum())
        angles = _count_directions(truth, valid)
        self.sums["angles"] += angles
        for who, prediction in (("", undo(output)), (self.prefix, undo(baseline))):
            self.sums[f"{who}square"] += float(rmse(prediction, truth, valid)) ** 2 * pixels
            if angles:
                self.sums[f"{who}sam_deg"] += float(sam_deg(prediction, truth, valid)) * angles

    def compute(self, world: SingleProcess) -> dict[str, float]:
        sums = world.total(self.sums)
        counts = {f"{who}sam_deg": sums["angles"] for who in ("", self.prefix)}

        def mean(name: str) -> float:
            count = counts.get(name, sums["pixels"])
            return sums[name] / count if count else math.nan

        terms = {name: mean(name) for name in self.names}
        figures = {"loss": math.fsum(self.weights[name] * term for name, term in terms.items()), **terms}
        for who in ("", self.prefix):
            figures[f"{who}sam_deg"] = mean(f"{who}sam_deg")
            figures[f"{who}rmse"] = math.sqrt(mean(f"{who}square"))
        return figures


def _count_directions(target: Tensor, valid: Tensor) -> float:
    """How many valid pixels are not zero in every band."""
    present = torch.linalg.vector_norm(target, dim=1, keepdim=True) > 0
    return float((present & valid).sum())
