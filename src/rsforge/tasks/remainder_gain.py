"""How much of what a network adds to a closed form held-out latents bear out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rsforge.engine.accumulator import MeanOverSamples
from rsforge.engine.distributed import SingleProcess
from rsforge.losses.gaps import find_latent_gaps
from rsforge.models.gaussian_path import GAINS, GaussianPath
from rsforge.tasks.diffusion import DiffusionTask

MOMENTS = ("product", "square", "product_2", "mixed_2", "square_2")


@dataclass(frozen=True)
class RemainderGain:
    """The gains of ``path`` from the latents of the validation of ``task``, at as many timesteps, with other noise."""

    task: DiffusionTask
    path: GaussianPath

    def validation(self) -> RemainderFigures:
        return RemainderFigures(self.evaluate)

    def evaluate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Means over latents, of each part of the timesteps: what is left times what the network adds, and the square
        of that; and the squares and the product of these two."""
        moments = self.task.moments_of(batch)
        sums = torch.zeros(2, len(moments), GAINS, device=moments.device)
        rows = torch.arange(len(moments), device=moments.device)
        gaps = find_latent_gaps(batch, moments[:, 0])
        for noisy in self.task.draw_noisy(moments):
            closed_form, added = self.path.split(noisy.x_t, noisy.t)
            closed_form, added = gaps.fill(closed_form, noisy.wanted), gaps.fill(added, torch.zeros_like(added))
            left, added = (noisy.wanted - closed_form).flatten(1).float(), added.flatten(1).float()
            part = noisy.t * GAINS // len(self.path.table)
            sums[:, rows, part] += torch.stack([(left * added).mean(1), added.square().mean(1)])
        product, square = sums
        means = torch.stack([product, square, product**2, product * square, square**2]).mean(1)
        return {f"{name}_{k}": means[row, k] for row, name in enumerate(MOMENTS) for k in range(GAINS)}


class RemainderFigures(MeanOverSamples):
    """The gain of each part of the timesteps, as :func:`fit_gain` gives it."""

    def compute(self, world: SingleProcess) -> dict[str, float]:
        means, count = self.means(world)
        return {str(k): fit_gain([means[f"{name}_{k}"] for name in MOMENTS], count) for k in range(GAINS)}


def fit_gain(moments: list[float], count: float) -> float:
    """The share in [0, 1] of what a network adds that leaves the least squared error, less what chance gives it.

    ``moments`` are means over ``count`` latents: of the product of what is left and what is added, of the square of the
    latter, and of the squares and the product of these two. Least squares; shrunk by the share of its square that is
    the variance of the estimate, as James & Stein 1961 do, to 0 where that is all.
    """
    product, square, product_2, mixed_2, square_2 = moments
    if product <= 0 or square <= 0:
        return 0.0
    gain = product / square
    variance = max(product_2 - 2 * gain * mixed_2 + gain**2 * square_2, 0.0) / max(count - 1, 1)
    return min(gain, 1.0) * max(1 - variance / product**2, 0.0)
